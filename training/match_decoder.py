"""Train the codec's decoder on what the speech model says, which is not what the encoder would say.

    python -m training.match_decoder WORK [--settings training/voice.toml] [--device auto] [--minutes 60]

The speech model gets most of the first codes of a frame right and guesses the last ones. A decoder that
has only met an encoder's codes takes guesses at their word; one that has met such frames, with the sound
that was meant, takes from them what can be relied upon. For each frame of the teacher's utterances the model
is asked, with the true past, what it would say (kept in WORK/codec/said_VOICE.npz); encoder, quantizer and
codes stay as they are. Takes up WORK/codec/refined.pt and writes WORK/codec/export again; the state is in
matched.pt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from moss_stream.audio import FRAME_SAMPLES
from moss_stream.engine.device import choose_device
from moss_stream.hub import read_json
from moss_stream.models.config import LocalConfig
from moss_stream.text.prompt import Codes, Message, PromptBuilder
from moss_stream.text.tokenizer import ChatTokenizer
from training.adapt_codec import EncoderTrainer
from training.codec_model import cat_config
from training.command import stage_parser
from training.corpus import Corpus
from training.encode import read_codes
from training.examples import Examples, Utterance, collate
from training.export import export_checkpoint
from training.loop import run
from training.refine_codec import DecoderTrainer
from training.settings import VoiceSettings
from training.speech_model import TrainableLocal
from training.teacher import taught
from training.train_codec import CodecTrainer

__all__ = ["MatchedTrainer", "Said", "SaidCrops"]

TEMPERATURE = 0.5
UTTERANCES = 2000
"""Of each voice."""
AT_ONCE = 24


@dataclass(frozen=True)
class Said:
    """An utterance: its codes, those the speech model chose, and its samples."""

    codes: Codes
    """[T, Nq]."""
    said: Codes
    """[T, Nq]."""
    samples: npt.NDArray[np.int16]
    """[T * 1920]."""


Crop = tuple[Tensor, Tensor, Tensor]
"""Codes [B, T, Nq], how many of them count [B], samples [B, T * 1920]."""


class MatchedTrainer:
    """Trains a decoder like the refinement does, but from codes.

    Args:
        decoder: With the optimisers and the state.
    """

    def __init__(self, decoder: DecoderTrainer) -> None:
        self._decoder = decoder
        self.state, self.restore = decoder.state, decoder.restore

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return self._decoder.step

    def train_step(self, batch: Crop) -> dict[str, float]:
        """Learn to make samples from codes."""
        decoder = self._decoder
        codes, depth, wanted = (part.to(decoder.device) for part in batch)
        with torch.autocast(decoder.device.type, torch.bfloat16):
            made = decoder.model.decode(codes, depth)
        return decoder.learn(made, wanted)


class SaidCrops:
    """Random crops: half of what the model said, a quarter of true codes, a quarter of some of these."""

    def __init__(self, utterances: list[Said], frames: int, size: int) -> None:
        self._utterances = [each for each in utterances if len(each.codes) >= frames]
        self._frames, self._size = frames, size

    def batch(self, number: int) -> Crop:
        """Return batch `number`."""
        choose = np.random.default_rng(number)
        codes, depths, samples = [], [], []
        for index in range(self._size):
            each = self._utterances[choose.integers(len(self._utterances))]
            start = int(choose.integers(len(each.codes) - self._frames + 1))
            crop = slice(start, start + self._frames)
            most = each.codes.shape[1]
            codes.append((each.said if index < self._size // 2 else each.codes)[crop])
            depths.append(most if index < self._size * 3 // 4 else int(choose.integers(1, most + 1)))
            samples.append(each.samples[crop.start * FRAME_SAMPLES : crop.stop * FRAME_SAMPLES])
        wave = torch.from_numpy(np.stack(samples).astype(np.float32) / 32768)
        return torch.from_numpy(np.stack(codes)), torch.tensor(depths), wave


def with_audio(work: Path, voice: str) -> Iterator[tuple[Utterance, npt.NDArray[np.int16]]]:
    """Yield the utterances whose samples the teacher kept, and these samples."""
    known = {utterance.text: utterance for utterance in read_codes(work / "codes", voice)}
    corpus = Corpus.open(work / "corpus" / voice)
    for number, pair in taught(work / "teacher", voice, corpus):
        utterance = known.get(corpus.texts[number])
        if utterance is not None and len(utterance.codes) * FRAME_SAMPLES == pair.shape[1]:
            yield utterance, pair[1]


@torch.no_grad()
def ask(
    model: TrainableLocal, examples: Examples, utterances: list[Utterance], is_default: bool
) -> list[Codes]:
    """Return what the model says for each frame, with the true past."""
    pad = [model.config.pad_token_id, *[model.config.audio_pad_code] * model.config.n_vq]
    said: list[Codes] = []
    device = next(model.parameters()).device
    for start in range(0, len(utterances), AT_ONCE):
        some = utterances[start : start + AT_ONCE]
        voices = [None if is_default else [utterances[start - 1 - i].codes] for i in range(len(some))]
        batch = collate(
            [
                examples.example(each, Message(text=each.text, reference=voice))
                for each, voice in zip(some, voices, strict=True)
            ],
            pad,
        ).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            states = model.backbone(batch, model.config.n_vq)[0][batch.wanted]
            codes = model.say(states, TEMPERATURE).cpu().numpy()
        lengths = np.cumsum([len(each.codes) + 1 for each in some])[:-1]  # and the row that ends the audio
        said += [part[:-1] for part in np.split(codes, lengths)]
    return said


def collect(work: Path, settings: VoiceSettings, device: torch.device) -> list[Said]:
    """Ask the exported speech model about utterances of all voices, or read what it said before."""
    folder = work / "speech" / "export"
    config = LocalConfig.parse(read_json(folder, "config.json"), str(folder))
    model = TrainableLocal(config).to(device).eval()
    state = torch.load(work / "speech" / "state.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    tokenizer = ChatTokenizer(folder)
    examples = Examples([], PromptBuilder(config, tokenizer), tokenizer, config)
    made = []
    for index, voice in enumerate(settings.corpus.voices):
        pairs = [pair for pair, _ in zip(with_audio(work, voice), range(UTTERANCES), strict=False)]
        utterances = [utterance for utterance, _ in pairs]
        file = work / "codec" / f"said_{voice}.npz"
        if not file.exists():
            np.savez(file, codes=np.concatenate(ask(model, examples, utterances, index == 0)))
        borders = np.cumsum([len(utterance.codes) for utterance in utterances])[:-1]
        said = np.split(np.load(file)["codes"], borders)
        made += [Said(u.codes, codes, samples) for (u, samples), codes in zip(pairs, said, strict=True)]
        print(f"{voice}: {len(pairs)} utterances", flush=True)
    return made


def main() -> None:
    """Parse the command line and train."""
    args = stage_parser(__doc__, is_training=True).parse_args()
    settings = VoiceSettings.read(args.settings)
    folder: Path = args.work / "codec"
    device = choose_device(args.device)
    adapted = EncoderTrainer(settings.codec, CodecTrainer(settings.codec, device).model, device)
    adapted.restore(torch.load(folder / "adapted.pt", map_location="cpu", weights_only=True))
    refined = DecoderTrainer(settings.codec, adapted.model, device)
    refined.restore(torch.load(folder / "refined.pt", map_location="cpu", weights_only=True))
    decoder = DecoderTrainer(settings.codec, refined.model, device, settings.codec.match_steps)
    crops = SaidCrops(collect(args.work, settings, device), settings.codec.crop_frames, settings.codec.batch)
    run(MatchedTrainer(decoder), crops.batch, folder / "matched.pt", settings.codec.match_steps, args.minutes)
    export_checkpoint(decoder.model, cat_config(settings.codec), folder / "export")


if __name__ == "__main__":
    main()
