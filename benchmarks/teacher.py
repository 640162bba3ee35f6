"""What a network says of codes that are known: logits after the true rows before them (teacher forcing)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from moss_stream.families.network import RowFormat, TextFeed
from moss_stream.families.row_network import RowNetwork
from moss_stream.nn.qwen3 import causal_mask
from moss_stream.nn.sampling import Sampler
from moss_stream.text.message import Rows

__all__ = ["Taught", "golden", "logits"]


@dataclass(frozen=True)
class Taught:
    """Rows [T, 1 + Nq] of a prompt and of what was spoken after it."""

    rows: Rows
    is_code: Tensor
    """[T, Nq] bool: which of their codes a model has to find."""


class _Teacher:
    """Stands for a sampler: notes logits, and says what is true."""

    def __init__(self, truth: Tensor) -> None:
        self.sampled = truth
        self.noted: list[Tensor] = []

    def text(self, logits: Tensor) -> Tensor:
        """Take the logits of text ids; of a choice between two, the first: nothing here depends on it."""
        ids = self.sampled[:, 0]
        return torch.zeros_like(ids) if logits.shape[1] == 2 else ids

    def code(self, codebook: int, logits: Tensor) -> Tensor:
        """Take the logits of a codebook."""
        self.noted.append(logits.float())
        return self.sampled[:, 1 + codebook]

    def codes(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Take the logits of all codebooks."""
        self.noted += logits.float().unbind(1)
        return self.sampled[:, 1:]

    def active(self, batch: int) -> Tensor:
        """Tell that all move on."""
        return torch.ones(batch, dtype=torch.bool)


@torch.inference_mode()
def logits(network: Any, taught: Taught) -> Tensor:
    """Return the logits [codes, V] of all codes that are to be found.

    Args:
        network: Of any family, on the CPU; with a text channel, that of MossTTSLocal v1.0 in full.
        taught: What is known.
    """
    model = cast(RowNetwork, network)
    known, length = torch.from_numpy(taught.rows)[None], len(taught.rows)
    positions = torch.arange(length)[None]
    cache, mask = model.new_cache(1, length), causal_mask(positions, length)
    hidden = model.hidden(known, known.shape[2] - 1, positions, cache, length, mask)[0]
    found = taught.is_code.any(dim=1).nonzero()[:, 0]
    teacher = _Teacher(known[0, found])
    out = torch.empty_like(teacher.sampled)
    scratch = network.new_scratch(len(found))
    network.next_row(hidden[found - 1], out.shape[1] - 1, scratch, cast(Sampler, teacher), out)
    return torch.stack(teacher.noted, dim=1)[taught.is_code[found]]


def golden(folder: Path, rows: RowFormat) -> Iterator[Taught]:
    """Return the greedy runs of a golden checkpoint of the tests, whose network has such rows."""
    found = load_file(folder / "expected.safetensors")
    if rows.feed is not None:
        cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]
        yield from (_fed(found, case, rows.feed) for case in cases)
        return
    for name, spoken in found.items():
        case, _, way = name.partition(".")
        if way in ("greedy", f"greedy.k{rows.num_codebooks}") and rows.pad_code is not None:
            yield _taught(found[f"{case}.input_ids"], spoken, rows.pad_code)


def _fed(found: dict[str, Tensor], case: dict[str, Any], feed: TextFeed) -> Taught:
    """Return a run of a model that reads its text with each row."""
    prompt, tokens = found[f"{case['prompt']}.input_ids"], torch.tensor(case["text_tokens"])
    codes = found[f"{case['prompt']}.greedy.rp{case['repetition_penalty']}"]
    opening = torch.full((feed.opening, prompt.shape[1]), feed.pad_code)
    opening[:, 0], opening[-1, 1] = tokens[: feed.opening], feed.bos_code
    read = torch.cat([tokens[feed.opening :], torch.full((len(codes),), feed.pad_id)])[: len(codes), None]
    return _taught(torch.cat([prompt, opening]), torch.cat([read, codes], dim=1), feed.pad_code)


def _taught(prompt: Tensor, spoken: Tensor, pad: int) -> Taught:
    rows = torch.cat([prompt, spoken])
    is_code = rows[:, 1:] != pad
    is_code[: len(prompt)] = False
    return Taught(np.asarray(rows.numpy(), dtype=np.int64), is_code)
