"""Train the codec's decoder on, with the codes as they are.

    python -m training.refine_codec WORK [--settings training/voice.toml] [--device auto] [--minutes 60]

Takes up the codec of WORK/codec/adapted.pt, freezes encoder and quantizer, and writes WORK/codec/export
again. Codes do not change, so this can run beside the training of the speech model. The state is in
WORK/codec/refined.pt.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from moss_stream.engine.device import choose_device
from training.adapt_codec import EncoderTrainer
from training.codec_model import TrainableCat, cat_config
from training.command import stage_parser
from training.export import export_checkpoint
from training.loop import ModelTrainer, Optimisers, run
from training.losses import SpectralLoss
from training.settings import CodecSettings, VoiceSettings
from training.train_codec import CodecTrainer, half_spoken, is_matrix, open_crops

__all__ = ["DecoderTrainer"]

GENTLE = 0.2
"""Of the codec's rates; at its peak rates a trained decoder first forgets what it knows."""


class DecoderTrainer(ModelTrainer):
    """The decoder, its optimisers and their state.

    Args:
        settings: Sizes and rates.
        model: A trained codec.
        device: To train on; the transformers run in bfloat16.
    """

    model: TrainableCat

    def __init__(self, settings: CodecSettings, model: TrainableCat, device: torch.device) -> None:
        self.settings, self.model, self.device = settings, model.to(device), device
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(("decoder", "quantizer.output_proj")))
        self.loss = SpectralLoss().to(device)
        rates = settings.matrix_rate * GENTLE, settings.other_rate * GENTLE
        self.optimisers = Optimisers(model, is_matrix, rates, settings.refine_steps, settings.warmup_steps)

    def train_step(self, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        """Learn to make the second [B, T * 1920] of two batches of samples from the codes of either."""
        heard, wanted = half_spoken(batch, self.device)
        most = self.settings.num_codebooks
        depth = torch.randint(1, most + 1, (len(heard),), device=self.device)
        depth[: len(heard) * 3 // 4] = most
        with torch.autocast(self.device.type, torch.bfloat16):
            made, _ = self.model(heard, depth)
        loss, parts = self.loss(made, wanted)
        self.optimisers.step(loss, self.step)
        self.step += 1
        return {name: float(value.detach()) for name, value in {"loss": loss, **parts}.items()}


def main() -> None:
    """Parse the command line and train."""
    args = stage_parser(__doc__, is_training=True).parse_args()
    settings = VoiceSettings.read(args.settings)
    folder: Path = args.work / "codec"
    device = choose_device(args.device)
    adapted = EncoderTrainer(settings.codec, CodecTrainer(settings.codec, device).model, device)
    adapted.restore(torch.load(folder / "adapted.pt", map_location="cpu", weights_only=True))
    trainer = DecoderTrainer(settings.codec, adapted.model, device)
    crops = open_crops(args.work, settings)
    run(trainer, crops.batch, folder / "refined.pt", settings.codec.refine_steps, args.minutes)
    export_checkpoint(trainer.model, cat_config(settings.codec), folder / "export")


if __name__ == "__main__":
    main()
