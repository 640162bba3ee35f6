"""Train the speech model.

    python -m training.train_speech WORK [--settings training/voice.toml] [--device auto] [--minutes 60]

Reads WORK/codes and WORK/codec/export, keeps its state in WORK/speech/state.pt, which the next run takes
up again, and writes the checkpoint to WORK/speech/export.
"""

from __future__ import annotations

from pathlib import Path

import torch

from moss_stream.codec.config import CatConfig
from moss_stream.engine.device import choose_device
from moss_stream.families.frame_prompts import FramePrompts
from moss_stream.families.local.config import LocalConfig
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.hub import read_json
from training.command import stage_parser
from training.encode import read_codes
from training.examples import Batch, Example, Examples, collate
from training.export import export_checkpoint
from training.loop import ModelTrainer, Optimisers, run
from training.settings import SpeechSettings, VoiceSettings
from training.speech_config import local_config
from training.speech_model import TrainableLocal
from training.tokenizer import write_tokenizer

__all__ = ["Batches", "SpeechTrainer"]

VOCAB_SIZE = 320
"""256 bytes, the special tokens and those of the template, and room for a few more."""


class SpeechTrainer(ModelTrainer):
    """The model, its optimisers and their state.

    Args:
        settings: Sizes and rates.
        config: The config.json of the model.
        device: To train on; the transformers run in bfloat16.
    """

    model: TrainableLocal

    def __init__(self, settings: SpeechSettings, config: LocalConfig, device: torch.device) -> None:
        torch.manual_seed(0)
        self.device = device
        self.model = TrainableLocal(config).to(device)
        rates = settings.matrix_rate, settings.other_rate
        self.optimisers = Optimisers(self.model, _is_matrix, rates, settings.steps, settings.warmup_steps)

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Learn from a batch; return the losses.

        Half of the batches use all codebooks, the others some number of them.
        """
        n_vq = self.model.config.n_vq
        if torch.rand(()) < 0.5:
            n_vq = int(torch.randint(1, n_vq + 1, ()))
        with torch.autocast(self.device.type, torch.bfloat16):
            loss, shown = self.model.loss(batch.to(self.device), n_vq)
        self.optimisers.step(loss, self.step)
        self.step += 1
        return {"loss": float(loss.detach()), **shown}


def _is_matrix(name: str) -> bool:
    return not any(part in name for part in ("embedding_list", "lm_heads", "phone_head"))


class Batches:
    """Fills batches with examples of similar length, up to a number of rows."""

    def __init__(self, examples: Examples, pad_row: list[int], rows: int) -> None:
        self._examples, self._pad_row, self._rows = examples, pad_row, rows

    def batch(self, number: int) -> Batch:
        """Return batch `number`."""
        drawn = sorted(
            (self._examples.draw(number * 64 + i) for i in range(64)), key=lambda example: len(example.rows)
        )
        chosen: list[Example] = []
        start = number * 7 % 48  # another range of lengths each time
        for example in drawn[start:]:
            if (len(chosen) + 1) * len(example.rows) > self._rows and chosen:
                break
            chosen.append(example)
        return collate(chosen, self._pad_row)


def main() -> None:
    """Parse the command line and train."""
    args = stage_parser(__doc__, is_training=True).parse_args()
    settings = VoiceSettings.read(args.settings)
    folder: Path = args.work / "speech"
    quantizer = CatConfig.parse(
        read_json(args.work / "codec" / "export", "config.json"), "the codec"
    ).quantizer_kwargs
    ids = write_tokenizer(folder / "export")
    raw = local_config(settings.speech, ids, VOCAB_SIZE, (quantizer.num_quantizers, quantizer.codebook_size))
    config = LocalConfig.parse(raw, "the settings")
    trainer = SpeechTrainer(settings.speech, config, choose_device(args.device))
    tokenizer = ChatTokenizer(folder / "export")
    voices = [read_codes(args.work / "codes", voice) for voice in settings.corpus.voices]
    pad_row = [config.pad_token_id, *[config.audio_pad_code] * config.n_vq]
    batches = Batches(
        Examples(voices, FramePrompts(config, tokenizer), tokenizer, config),
        pad_row,
        settings.speech.batch_rows,
    )
    run(trainer, batches.batch, folder / "state.pt", settings.speech.steps, args.minutes)
    export_checkpoint(trainer.model, raw, folder / "export", without="phone_head")


if __name__ == "__main__":
    main()
