"""What both trainings share: optimisers, their rates, and a loop that can be stopped and taken up again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

__all__ = ["ModelTrainer", "Optimisers", "Trainer", "run"]

B = TypeVar("B", contravariant=True)
SAVE_S = 180.0


class Optimisers:
    """Muon for the transformers' matrices, AdamW for everything else; warm-up, then a cosine to 2 %.

    Args:
        model: Its parameters, without those that are frozen.
        is_matrix: Tells by its name whether a two-dimensional parameter belongs to Muon.
        rates: Peak learning rates of the two.
        steps: Of the whole training.
        warmup_steps: Of the beginning.
    """

    def __init__(
        self,
        model: nn.Module,
        is_matrix: Callable[[str], bool],
        rates: tuple[float, float],
        steps: int,
        warmup_steps: int,
    ) -> None:
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in named if p.ndim == 2 and is_matrix(name)]
        known = {id(p) for p in matrices}
        others = [p for _, p in named if id(p) not in known]
        self._parameters = [*matrices, *others]
        self._rates, self._steps, self._warmup_steps = rates, steps, warmup_steps
        self._all: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, lr=rates[0], weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=rates[1], betas=(0.8, 0.99), weight_decay=0.0),
        ]

    def step(self, loss: torch.Tensor, number: int) -> None:
        """Take step `number` (counted from 0) down the gradient of `loss`."""
        rising = min(1.0, (number + 1) / self._warmup_steps)
        factor = rising * (0.02 + 0.49 * (1 + math.cos(math.pi * min(1.0, number / self._steps))))
        for optimiser, rate in zip(self._all, self._rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        for optimiser in self._all:
            optimiser.step()

    def state(self) -> list[dict[str, Any]]:
        """Return what a later run needs."""
        return [optimiser.state_dict() for optimiser in self._all]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from `state`."""
        for optimiser, saved in zip(self._all, state, strict=True):
            optimiser.load_state_dict(saved)


class ModelTrainer:
    """A model, its optimisers and how far they are: what every training keeps."""

    model: nn.Module
    optimisers: Optimisers
    step: int = 0

    def state(self) -> dict[str, Any]:
        """Return everything a later run needs to go on."""
        return {"model": self.model.state_dict(), "optimisers": self.optimisers.state(), "step": self.step}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.model.load_state_dict(state["model"])
        self.optimisers.restore(state["optimisers"])
        self.step = state["step"]


class Trainer(Protocol[B]):
    """What can be trained by `run`."""

    step: int

    def train_step(self, batch: B) -> dict[str, float]:
        """Learn from a batch; return figures to show."""

    def state(self) -> dict[str, Any]:
        """Return everything a later run needs."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""


def run(trainer: Trainer[B], batches: Callable[[int], B], file: Path, steps: int, minutes: float) -> None:
    """Train to the end or for some minutes, from where `file` says the last run stopped.

    Args:
        trainer: Learns.
        batches: Gives the batch of a step, by its number.
        file: Holds the state; written every few minutes and at the end.
        steps: Of the whole training.
        minutes: Of this run.
    """
    if file.exists():
        trainer.restore(torch.load(file, map_location="cpu", weights_only=True))
    began = saved = time.monotonic()
    means: dict[str, float] = {}
    while trainer.step < steps and time.monotonic() - began < minutes * 60:
        figures = trainer.train_step(batches(trainer.step))
        means = {name: 0.98 * means.get(name, value) + 0.02 * value for name, value in figures.items()}
        if trainer.step % 50 == 0:
            shown = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
            print(f"step {trainer.step}, {time.monotonic() - began:.0f} s: {shown}", flush=True)
        if time.monotonic() - saved > SAVE_S:
            _save(trainer.state(), file)
            saved = time.monotonic()
    _save(trainer.state(), file)


def _save(state: dict[str, Any], file: Path) -> None:
    """Write by a rename: a file that is there is whole."""
    torch.save(state, file.with_suffix(".part"))
    file.with_suffix(".part").rename(file)
