"""Train the codec.

    python -m training.train_codec WORK [--settings training/voice.toml] [--device auto] [--minutes 60]

Reads WORK/corpus, keeps its state in WORK/codec/state.pt (written every few minutes and at the end, and
taken up again by the next run) and writes the checkpoint to WORK/codec/export.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from moss_stream.audio import FRAME_SAMPLES
from moss_stream.engine.device import choose_device
from moss_stream.models.config import CatConfig
from training.codec_model import Quantized, TrainableCat, cat_config
from training.corpus import Corpus
from training.export import export_checkpoint
from training.losses import SpectralLoss
from training.settings import CodecSettings, VoiceSettings

__all__ = ["CodecTrainer"]

SAVE_S = 180.0
STALE_STEPS = 100
"""A code that was not used for this many steps is set to a latent of the current batch."""


class CodecTrainer:
    """The model, its optimisers and their state.

    Args:
        settings: Sizes and rates.
        device: To train on; the transformers run in bfloat16.
    """

    def __init__(self, settings: CodecSettings, device: torch.device) -> None:
        torch.manual_seed(0)
        self.settings, self.device = settings, device
        self.config = cat_config(settings)
        self.model = TrainableCat(CatConfig.parse(self.config, "the settings")).to(device)
        self.loss = SpectralLoss().to(device)
        matrices, others = _split(self.model)
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                matrices, lr=settings.matrix_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(others, lr=settings.other_rate, betas=(0.8, 0.99), weight_decay=0.0),
        ]
        self.last_used = torch.zeros(settings.num_codebooks, settings.codebook_size, device=device)
        self.step = 0

    def train_step(self, samples: Tensor) -> dict[str, float]:
        """Learn from a batch [B, T * 1920]; return the losses."""
        self._set_rates()
        depth = self._depths(len(samples))
        with torch.autocast(self.device.type, torch.bfloat16):
            made, quantized = self.model(samples, depth)
        spectral, mel = self.loss(made, samples)
        loss = spectral + 0.5 * quantized.loss
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self._revive(quantized)
        self.step += 1
        alive = (self.step - self.last_used < STALE_STEPS).float().mean()
        shown = {"loss": loss, "spectral": spectral, "mel": mel, "alive": alive}
        return {name: float(value.detach()) for name, value in shown.items()}

    def state(self) -> dict[str, Any]:
        """Return everything a later run needs to go on."""
        return {
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "last_used": self.last_used,
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.last_used, self.step = state["last_used"].to(self.device), state["step"]

    def _set_rates(self) -> None:
        done = min(1.0, self.step / self.settings.steps)
        rising = min(1.0, (self.step + 1) / self.settings.warmup_steps)
        factor = rising * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))
        rates = self.settings.matrix_rate, self.settings.other_rate
        for optimiser, rate in zip(self.optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * factor

    def _depths(self, batch: int) -> Tensor:
        """Choose how many codebooks each sequence uses: all in half of them, any number in the others."""
        depths = torch.randint(1, self.settings.num_codebooks + 1, (batch,), device=self.device)
        depths[: batch // 2] = self.settings.num_codebooks
        return depths

    @torch.no_grad()
    def _revive(self, quantized: Quantized) -> None:
        """Move codes that nothing chooses any more to where the latents are."""
        for level, latent in enumerate(quantized.latents):
            self.last_used[level, quantized.codes[..., level].flatten()] = self.step
            stale = (self.step - self.last_used[level] >= STALE_STEPS).nonzero()[:, 0]
            if len(stale):
                pool = latent.reshape(-1, latent.shape[-1])
                chosen = pool[torch.randint(len(pool), (len(stale),), device=self.device)]
                self.model.get_parameter(f"quantizer.quantizers.{level}.codebook.weight")[stale] = chosen
                self.last_used[level, stale] = self.step


def _split(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Part the transformers' matrices, for Muon, from everything else."""
    named = list(model.named_parameters())
    matrices = [p for name, p in named if p.ndim == 2 and not name.startswith("quantizer")]
    known = {id(p) for p in matrices}
    return matrices, [p for _, p in named if id(p) not in known]


class Crops:
    """Random crops of the corpus."""

    def __init__(self, corpora: Iterable[Corpus], frames: int, seed: int) -> None:
        self._samples = [corpus.samples for corpus in corpora]
        self._length = frames * FRAME_SAMPLES
        self._random = np.random.default_rng(seed)

    def batch(self, size: int) -> Tensor:
        """Return [size, frames * 1920] samples as floats."""
        crops = []
        for _ in range(size):
            samples = self._samples[self._random.integers(len(self._samples))]
            start = self._random.integers(len(samples) - self._length)
            crops.append(samples[start : start + self._length].astype(np.float32) / 32768)
        return torch.from_numpy(np.stack(crops))


def train(work: Path, settings: VoiceSettings, device: torch.device, minutes: float) -> None:
    """Train for some minutes, or to the end, from where the last run stopped."""
    folder = work / "codec"
    folder.mkdir(exist_ok=True)
    trainer = CodecTrainer(settings.codec, device)
    if (folder / "state.pt").exists():
        trainer.restore(torch.load(folder / "state.pt", map_location=device, weights_only=True))
    corpora = [Corpus.open(work / "corpus" / voice) for voice in settings.corpus.voices]
    crops = Crops(corpora, settings.codec.crop_frames, seed=trainer.step)
    began = saved = time.monotonic()
    means: dict[str, float] = {}
    while trainer.step < settings.codec.steps and time.monotonic() - began < minutes * 60:
        losses = trainer.train_step(crops.batch(settings.codec.batch).to(device))
        means = {name: 0.98 * means.get(name, value) + 0.02 * value for name, value in losses.items()}
        if trainer.step % 50 == 0:
            shown = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
            print(f"step {trainer.step}, {time.monotonic() - began:.0f} s: {shown}", flush=True)
        if time.monotonic() - saved > SAVE_S:
            _save(trainer, folder)
            saved = time.monotonic()
    _save(trainer, folder)
    export_checkpoint(trainer.model, trainer.config, folder / "export")


def _save(trainer: CodecTrainer, folder: Path) -> None:
    torch.save(trainer.state(), folder / "state.part")
    (folder / "state.part").rename(folder / "state.pt")


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--settings", type=Path, default=Path(__file__).with_name("voice.toml"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--minutes", type=float, default=1e9)
    args = parser.parse_args()
    train(args.work, VoiceSettings.read(args.settings), choose_device(args.device), args.minutes)


if __name__ == "__main__":
    main()
