"""The checkpoint's own tokenizer and chat template."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jinja2
import jinja2.sandbox
import tokenizers

from moss_stream.errors import CorruptCheckpoint, ModelNotFound

__all__ = ["ChatTokenizer"]


class ChatTokenizer:
    """Text to token ids, messages to the model's chat format.

    Args:
        folder: Of the checkpoint; holds tokenizer.json and either chat_template.jinja or a
            tokenizer_config.json with a chat_template.

    Raises:
        LoadError: A file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise ModelNotFound(f"{folder} lacks tokenizer.json. Download the checkpoint again.")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain Exception
            raise CorruptCheckpoint(
                f"{path} cannot be read ({error}). Download the checkpoint again."
            ) from error
        special = [
            token.content for token in self._tokenizer.get_added_tokens_decoder().values() if token.special
        ]
        self._special = re.compile(
            "|".join(map(re.escape, sorted(special, key=len, reverse=True))) or r"(?!)"
        )
        self._folder = folder
        self._template, self._names = _template(folder)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; special tokens in it become their ids.

        Halves of characters (lone surrogates), as some LLM clients yield them, are joined or replaced.
        """
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return list(self._tokenizer.encode(whole).ids)

    def without_special_tokens(self, text: str) -> str:
        """Return `text` without what would be read as a control token."""
        while (cleaned := self._special.sub("", text)) != text:
            text = cleaned  # a removal may join the halves of another one
        return text

    def chat(self, role: str, content: str, add_generation_prompt: bool) -> str:
        """Return one message in the chat format.

        Raises:
            CorruptCheckpoint: The template fails, or tries what the sandbox forbids.
        """
        messages = [{"role": role, "content": content}]
        try:
            return self._template.render(
                messages=messages, add_generation_prompt=add_generation_prompt, **self._names
            )
        except Exception as error:  # a template is a program: it can raise anything
            raise CorruptCheckpoint(
                f"The chat template of {self._folder} cannot be used ({error})."
            ) from error


def _template(folder: Path) -> tuple[jinja2.Template, dict[str, Any]]:
    """Compile the chat template, in a sandbox: it comes with the checkpoint."""
    settings = folder / "tokenizer_config.json"
    file = folder / "chat_template.jinja"
    try:
        config = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
        if not isinstance(config, dict):
            raise ValueError("tokenizer_config.json does not hold a JSON object")
        source = file.read_text(encoding="utf-8") if file.is_file() else config.get("chat_template")
        if not isinstance(source, str):
            raise ModelNotFound(
                f"{folder} has neither chat_template.jinja nor a chat_template in tokenizer_config.json."
            )
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = lambda value, **options: json.dumps(
            value, ensure_ascii=False, **options
        )
        environment.globals["raise_exception"] = _raise
        template = environment.from_string(source)
    except (ValueError, RecursionError, jinja2.TemplateError) as error:
        raise CorruptCheckpoint(f"The chat template of {folder} cannot be used ({error}).") from error
    return template, {
        name: config.get(name) for name in ("bos_token", "eos_token") if isinstance(config.get(name), str)
    }


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)
