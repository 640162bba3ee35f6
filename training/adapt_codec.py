"""Teach the codec's encoder to hear speech with its natural pitch.

    python -m training.adapt_codec WORK [--settings training/voice.toml] [--device auto] [--minutes 60]

The codec of WORK/codec/state.pt only knows locked pitch. Here its encoder learns to make of an utterance as
it was spoken what it made of the same utterance with locked pitch, so that recordings get the codes that the
decoder and the speech model know. Nothing is decoded, so a step is cheap. The state is in
WORK/codec/adapted.pt; WORK/codec/export is written again.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor

from moss_stream.engine.device import choose_device
from training.codec_model import TrainableCat, cat_config, encode
from training.command import stage_parser
from training.export import export_checkpoint
from training.loop import ModelTrainer, Optimisers, run
from training.settings import CodecSettings, VoiceSettings
from training.train_codec import CodecTrainer, half_spoken, is_matrix, open_crops

__all__ = ["EncoderTrainer"]


class EncoderTrainer(ModelTrainer):
    """The codec whose encoder learns, its optimisers and their state.

    Args:
        settings: Sizes and rates.
        model: A codec trained on locked pitch.
        device: To train on; the transformers run in bfloat16.
    """

    model: TrainableCat

    def __init__(self, settings: CodecSettings, model: TrainableCat, device: torch.device) -> None:
        self.device, self.model = device, model.to(device)
        self._knowing = copy.deepcopy(model.encoder).requires_grad_(False)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("encoder"))
        rates = settings.matrix_rate, settings.other_rate
        self.optimisers = Optimisers(model, is_matrix, rates, settings.adapt_steps, settings.warmup_steps)

    def train_step(self, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
        """Learn to hear the second [B, T * 1920] of two batches of samples in the first."""
        heard, locked = half_spoken(batch, self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            with torch.no_grad():
                wanted = encode(self._knowing, locked)
            made = encode(self.model.encoder, heard)
        projection = self.model.quantizer.input_proj
        made, wanted = (projection(x.transpose(1, 2)) for x in (made, wanted))
        apart = (made - wanted).square().mean((1, 2)) / wanted.var()
        loss = apart.mean()
        self.optimisers.step(loss, self.step)
        self.step += 1
        half = len(apart) // 2
        shown = {"loss": loss, "spoken": apart[:half].mean(), "locked": apart[half:].mean()}
        return {name: float(value.detach()) for name, value in shown.items()}


def main() -> None:
    """Parse the command line and train."""
    args = stage_parser(__doc__, is_training=True).parse_args()
    settings = VoiceSettings.read(args.settings)
    folder: Path = args.work / "codec"
    trained = CodecTrainer(settings.codec, choose_device(args.device))
    trained.restore(torch.load(folder / "state.pt", map_location="cpu", weights_only=True))
    trainer = EncoderTrainer(settings.codec, trained.model, trained.device)
    crops = open_crops(args.work, settings)
    run(trainer, crops.batch, folder / "adapted.pt", settings.codec.adapt_steps, args.minutes)
    export_checkpoint(trainer.model, cat_config(settings.codec), folder / "export")


if __name__ == "__main__":
    main()
