"""Training examples of the speech model: prompts in the package's own format, and what follows them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moss_stream.models.config import LocalConfig
from moss_stream.text.prompt import Codes, Message, PromptBuilder, Rows

__all__ = ["Example", "Examples", "Utterance", "collate"]


@dataclass(frozen=True)
class Utterance:
    """A sentence and the codes of its audio, [T, Nq]."""

    text: str
    codes: Codes


@dataclass(frozen=True)
class Example:
    """Rows, and how many of them are the prompt."""

    rows: Rows
    prompt_length: int


class Examples:
    """Draws examples; the same number gives the same example.

    Half of the examples have a reference, another sentence of the same voice; the rest have none and
    are all spoken by the first voice, so that this is what the model speaks with when no voice is given.
    Half name their length. A quarter continue a sentence that was spoken before, a sixth speak two.

    Args:
        voices: The utterances of each voice, the default one first.
        builder: Of the model's prompts.
        config: Of the model.
    """

    def __init__(self, voices: list[list[Utterance]], builder: PromptBuilder, config: LocalConfig) -> None:
        self._voices, self._builder, self._config = voices, builder, config

    def draw(self, number: int) -> Example:
        """Return example `number`."""
        choose = np.random.default_rng(number)
        is_cloned = choose.random() < 0.5
        utterances = self._voices[choose.integers(len(self._voices)) if is_cloned else 0]
        first, second, voice = (utterances[choose.integers(len(utterances))] for _ in range(3))
        kind = choose.random()
        if kind < 0.25:
            text, prefix, spoken = f"{first.text} {second.text}", first.codes, second.codes
        elif kind < 0.42:
            text, prefix, spoken = (
                f"{first.text} {second.text}",
                None,
                np.concatenate([first.codes, second.codes]),
            )
        else:
            text, prefix, spoken = noisy(first.text, choose), None, first.codes
        length = len(spoken) if prefix is None and choose.random() < 0.5 else None
        message = Message(text=text, reference=[voice.codes] if is_cloned else None, tokens=length)
        prompt = self._builder.build(message, prefix)
        return Example(np.concatenate([prompt, self._answer(spoken)]), len(prompt))

    def _answer(self, codes: Codes) -> Rows:
        """Return the rows of spoken audio and of its end."""
        rows = np.full((len(codes) + 1, 1 + self._config.n_vq), self._config.audio_pad_code, dtype=np.int64)
        rows[:-1, 0] = self._config.audio_assistant_gen_slot_token_id
        rows[:-1, 1:] = codes
        rows[-1, 0] = self._config.audio_end_token_id
        return rows


def noisy(text: str, choose: np.random.Generator) -> str:
    """Return a text as users type it: now and then without capitals, punctuation or care for spaces."""
    kind = choose.random()
    if kind < 0.08:
        return text.lower()
    if kind < 0.11:
        return text.upper()
    if kind < 0.2:
        return re.sub(r"[.,;:!?]", "", text)
    if kind < 0.25:
        return text.replace(" ", "  ", int(choose.integers(1, 4)))
    return text


def collate(examples: list[Example], pad_row: list[int]) -> tuple[Tensor, Tensor]:
    """Return padded rows [B, T, 1 + Nq] and which positions are followed by a row to learn, [B, T]."""
    length = max(len(example.rows) for example in examples)
    rows = torch.tensor(pad_row).repeat(len(examples), length, 1)
    wanted = torch.zeros(len(examples), length, dtype=torch.bool)
    for index, example in enumerate(examples):
        rows[index, : len(example.rows)] = torch.from_numpy(example.rows)
        wanted[index, example.prompt_length - 1 : len(example.rows) - 1] = True
    return rows, wanted
