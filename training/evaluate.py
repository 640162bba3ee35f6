"""Evaluate the voice: is it understood, does it end where it should, is it as long and as whose as asked.

    python -m training.evaluate WORK [--model FOLDER] [--only codec,speech,...] [--seeds 5] ...

Prints one table and keeps the figures in WORK/evaluation.json; sections that are not run again stay.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.embedded import measure
from moss_stream import Audio, StreamingSynthesizer, SynthesisOptions
from moss_stream.audio import FRAME_SAMPLES, SAMPLE_RATE_HZ
from training.command import stage_parser
from training.evaluate_codec import evaluate as evaluate_codec
from training.flite import Flite
from training.recognise import Recogniser, error_rate
from training.report import Results, merge, show
from training.settings import VoiceSettings

__all__ = ["Evaluation", "growing_texts"]

Figures = dict[str, float | str]
SECTIONS = ("codec", "speech", "robustness", "lengths", "cloning", "speed")
MAX_WORDS = 60
TOO_LONG, TOO_SHORT = 2.0, 0.5
"""Times the length of flite's utterance of the same text, give or take half a second."""


@dataclass
class Evaluation:
    """What every section needs."""

    synth: StreamingSynthesizer
    flite: Flite
    default: str
    """flite's name of the voice that speaks when none is named."""
    texts: list[str]
    """Held-out sentences."""
    seeds: int
    robust_texts: int

    async def speech(self) -> Figures:
        """Word error rates of the original, of synthesis, and their ratio."""
        recogniser = Recogniser()
        spoken = [self.flite.speak(self.default, text).samples for text in self.texts]
        made = [(await self.synth.say(text)).samples for text in self.texts]
        original, synthesis = (
            error_rate(zip(self.texts, map(recogniser.words, waves), strict=True)) for waves in (spoken, made)
        )
        return {
            "sentences": len(self.texts),
            "WER of the original": original,
            "WER of synthesis": synthesis,
            "ratio": synthesis / original,
        }

    async def robustness(self) -> Figures:
        """How many texts of 1 to 60 words run away or stop early, measured by flite's utterances."""
        texts = growing_texts(self.texts, self.robust_texts)
        wanted_s = [self._flite_samples(text) / SAMPLE_RATE_HZ for text in texts]
        figures: Figures = {"texts": len(texts), "seeds": self.seeds}
        long, short = np.zeros(self.seeds), np.zeros(self.seeds)
        for seed in range(self.seeds):
            for text, seconds in zip(texts, wanted_s, strict=True):
                audio = await self.synth.say(text, options=SynthesisOptions(seed=seed))
                long[seed] += audio.duration_s > TOO_LONG * seconds + 0.5
                short[seed] += audio.duration_s < TOO_SHORT * seconds - 0.5
        figures |= {"runaways, seed 0": long[0], "early stops, seed 0": short[0]}
        figures["share over all seeds"] = float((long + short).sum()) / (len(texts) * self.seeds)
        return figures

    async def lengths(self) -> Figures:
        """How far the length is from the wanted one, with `tokens` given."""
        errors = []
        for text in self.texts:
            wanted = self._flite_samples(text) // FRAME_SAMPLES
            audio = await self.synth.say(text, options=SynthesisOptions(tokens=wanted))
            errors.append(abs(len(audio.samples) / FRAME_SAMPLES - wanted) / wanted)
        return {"sentences": len(self.texts), "mean error with tokens": float(np.mean(errors))}

    def _flite_samples(self, text: str) -> int:
        return len(self.flite.speak(self.default, text).trimmed().samples)

    async def cloning(self, voices: tuple[str, ...], cases: int = 60) -> Figures:
        """How often cloned speech is identified, by Resemblyzer, as its reference's speaker."""
        from resemblyzer import VoiceEncoder, preprocess_wav  # large; only this needs it

        encoder = VoiceEncoder("cpu", verbose=False)

        def embed(samples: np.ndarray) -> np.ndarray:
            wave = preprocess_wav(samples / 32768, source_sr=SAMPLE_RATE_HZ)
            return np.asarray(encoder.embed_utterance(wave))

        centres = {
            voice: np.mean([embed(self.flite.speak(voice, text).samples) for text in self.texts[-8:]], axis=0)
            for voice in voices
        }
        right = 0
        for case in range(cases):
            voice = voices[case % len(voices)]
            reference = Audio(self.flite.speak(voice, self.texts[-1 - case % len(self.texts)]).samples)
            audio = await self.synth.say(self.texts[case % len(self.texts)], voice=reference)
            made = embed(audio.samples)
            right += max(centres, key=lambda name: float(centres[name] @ made)) == voice
        return {"cases": cases, "identified as the reference's speaker": right / cases}


def growing_texts(sentences: list[str], count: int) -> list[str]:
    """Return `count` texts of 1 to 60 words, cut from sentences."""
    words = " ".join(sentences).split()
    texts = []
    start = 0
    for number in range(count):
        length = 1 + number * MAX_WORDS // count
        if start + length > len(words):
            start = 0
        texts.append(" ".join(words[start : start + length]).rstrip(".,;:!?") + ".")
        start += length
    return texts


async def evaluate(args: argparse.Namespace, settings: VoiceSettings) -> Results:
    """Run the wanted sections."""
    texts = json.loads((args.work / "corpus" / "evaluation.json").read_text(encoding="utf-8"))
    results: Results = {}
    if "codec" in args.only:
        results |= evaluate_codec(args.work, settings, min(args.sentences, 40))
    if args.only == ["codec"]:
        return results  # a codec can be judged before there is a voice
    async with await StreamingSynthesizer.load(args.model) as synth:
        voices = settings.corpus.voices
        evaluation = Evaluation(
            synth, Flite(args.work / "root"), voices[0], texts[: args.sentences], args.seeds, args.robust
        )
        sections: dict[str, Callable[[], Awaitable[Figures]]] = {
            "speech": evaluation.speech,
            "robustness": evaluation.robustness,
            "lengths": evaluation.lengths,
            "cloning": lambda: evaluation.cloning(voices),
            "speed": lambda: measure(synth),
        }
        for name in (name for name in SECTIONS if name in args.only and name in sections):
            results[name] = await sections[name]()
            print(name, results[name], flush=True)
    return results


def main() -> None:
    """Parse the command line, evaluate, print."""
    parser = stage_parser(__doc__)
    parser.add_argument("--model", type=Path, help="instead of the embedded voice")
    parser.add_argument("--only", type=lambda names: names.split(","), default=SECTIONS)
    parser.add_argument("--sentences", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--robust", type=int, default=200, help="texts to look for runaways in")
    args = parser.parse_args()
    results = asyncio.run(evaluate(args, VoiceSettings.read(args.settings)))
    show(merge(results, args.work / "evaluation.json"))


if __name__ == "__main__":
    main()
