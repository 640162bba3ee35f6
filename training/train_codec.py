"""Train the codec.

    python -m training.train_codec WORK [--settings training/voice.toml] [--device auto] [--minutes 60]

Reads WORK/teacher and learns to reproduce utterances with locked pitch. Keeps its state in
WORK/codec/state.pt, which the next run takes up again, and writes the checkpoint to WORK/codec/export.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from moss_stream.codec.config import CatConfig
from moss_stream.engine.device import choose_device
from training.codec_model import Quantized, TrainableCat, cat_config
from training.command import stage_parser
from training.export import export_checkpoint
from training.loop import ModelTrainer, Optimisers, run
from training.losses import SpectralLoss
from training.settings import FRAME_SAMPLES, CodecSettings, VoiceSettings

__all__ = ["CodecTrainer", "Crops", "half_spoken", "is_matrix", "open_crops"]

STALE_STEPS = 100
"""A code that was not used for this many steps is set to a latent of the current batch."""


class CodecTrainer(ModelTrainer):
    """The model, its optimisers and their state.

    Args:
        settings: Sizes and rates.
        device: To train on; the transformers run in bfloat16.
    """

    model: TrainableCat

    def __init__(self, settings: CodecSettings, device: torch.device) -> None:
        torch.manual_seed(0)
        self.settings, self.device = settings, device
        self.config = cat_config(settings)
        self.model = TrainableCat(CatConfig.parse(self.config, "the settings")).to(device)
        self.loss = SpectralLoss().to(device)
        rates = settings.matrix_rate, settings.other_rate
        self.optimisers = Optimisers(self.model, is_matrix, rates, settings.steps, settings.warmup_steps)
        self.last_used = torch.zeros(settings.num_codebooks, settings.codebook_size, device=device)

    def train_step(self, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        """Learn to reproduce the second [B, T * 1920] of two batches, the locked one."""
        wanted = batch[1].to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            made, quantized = self.model(wanted, self._depths(len(wanted)))
        spectral, parts = self.loss(made, wanted)
        loss = spectral + 0.5 * quantized.loss
        self.optimisers.step(loss, self.step)
        self._revive(quantized)
        self.step += 1
        alive = (self.step - self.last_used < STALE_STEPS).float().mean()
        shown = {"loss": loss, "spectral": spectral, **parts, "alive": alive}
        return {name: float(value.detach()) for name, value in shown.items()}

    def state(self) -> dict[str, Any]:
        """Return everything a later run needs to go on."""
        return {**super().state(), "last_used": self.last_used}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        super().restore(state)
        self.last_used = state["last_used"].to(self.device)

    def _depths(self, batch: int) -> Tensor:
        """Choose how many codebooks each sequence uses.

        Any number in half of them, all in a quarter. The rest is not quantized: without such a path the
        decoder waits for good codes, and the codes for a good decoder.
        """
        depths = torch.randint(1, self.settings.num_codebooks + 1, (batch,), device=self.device)
        depths[: batch // 2] = self.settings.num_codebooks
        depths[: batch // 4] = 0
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


def is_matrix(name: str) -> bool:
    """Tell whether a matrix is a transformer's, and Muon's to train."""
    return not name.startswith("quantizer")


class Crops:
    """Random crops of the teacher's pairs, cut on the frame grid."""

    def __init__(self, pairs: list[npt.NDArray[np.int16]], frames: int, size: int) -> None:
        self._pairs, self._frames, self._size = pairs, frames, size

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Return batch `number`: samples as spoken and with locked pitch, both [size, frames * 1920]."""
        choose = np.random.default_rng(number)
        crops = []
        for _ in range(self._size):
            pair = self._pairs[choose.integers(len(self._pairs))]
            start = choose.integers(pair.shape[1] // FRAME_SAMPLES - self._frames) * FRAME_SAMPLES
            crops.append(pair[:, start : start + self._frames * FRAME_SAMPLES])
        samples = torch.from_numpy(np.stack(crops, axis=1).astype(np.float32) / 32768)
        return samples[0], samples[1]


def open_crops(work: Path, settings: VoiceSettings) -> Crops:
    """Return crops of all voices of the teacher."""
    files = sorted((work / "teacher").glob("*.npy"))
    pairs = [np.load(file, mmap_mode="r") for file in files]
    return Crops(pairs, settings.codec.crop_frames, settings.codec.batch)


def half_spoken(batch: tuple[Tensor, Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return what a finished codec hears, one half as spoken and one with locked pitch, and shall make."""
    spoken, locked = (part.to(device) for part in batch)
    half = len(spoken) // 2
    return torch.cat([spoken[:half], locked[half:]]), locked


def main() -> None:
    """Parse the command line and train."""
    args = stage_parser(__doc__, is_training=True).parse_args()
    settings = VoiceSettings.read(args.settings)
    folder: Path = args.work / "codec"
    folder.mkdir(exist_ok=True)
    trainer = CodecTrainer(settings.codec, choose_device(args.device))
    crops = open_crops(args.work, settings)
    run(trainer, crops.batch, folder / "state.pt", settings.codec.steps, args.minutes)
    export_checkpoint(trainer.model, trainer.config, folder / "export")


if __name__ == "__main__":
    main()
