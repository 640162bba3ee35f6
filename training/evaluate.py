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
import numpy.typing as npt

from benchmarks.embedded import measure
from moss_stream import Audio, EngineOptions, StreamingSynthesizer, SynthesisOptions
from moss_stream.audio import SAMPLE_RATE_HZ
from moss_stream.text_source import Text
from training.command import stage_parser
from training.evaluate_codec import evaluate as evaluate_codec
from training.flite import Flite
from training.listener import Listener
from training.recognise import Recogniser, error_rate
from training.report import Results, merge, show
from training.settings import FRAME_SAMPLES, VoiceSettings

__all__ = ["Evaluation", "growing_texts"]

Figures = dict[str, float | str]
Samples = npt.NDArray[np.int16]
SECTIONS = ("codec", "speech", "robustness", "lengths", "cloning", "continuity", "speed")
MAX_WORDS = 60
TOO_LONG, TOO_SHORT = 2.0, 0.5
"""Times the length of flite's utterance of the same text, give or take half a second."""


@dataclass
class Evaluation:
    """What every section needs."""

    synth: StreamingSynthesizer
    flite: Flite
    voices: tuple[str, ...]
    """flite's names; the first one speaks when none is named."""
    texts: list[str]
    """Held-out sentences."""
    seeds: int
    robust_texts: int

    async def speech(self) -> Figures:
        """Word error rates of the original, of synthesis, and their ratio."""
        spoken = [self._flite_samples(text) for text in self.texts]
        made = [audio.samples for audio in await self._say_all(self.texts)]
        original, synthesis = self._error_rate(self.texts, spoken), self._error_rate(self.texts, made)
        return {
            "sentences": len(self.texts),
            "WER of the original": original,
            "WER of synthesis": synthesis,
            "ratio": synthesis / original,
        }

    async def robustness(self) -> Figures:
        """How many texts of 1 to 60 words run away or stop early, measured by flite's utterances."""
        texts = growing_texts(self.texts, self.robust_texts)
        wanted_s = np.array([len(self._flite_samples(text)) / SAMPLE_RATE_HZ for text in texts])
        figures: Figures = {"texts": len(texts), "seeds": self.seeds}
        long, short = np.zeros(self.seeds), np.zeros(self.seeds)
        for seed in range(self.seeds):
            audios = await self._say_all(texts, SynthesisOptions(seed=seed))
            made_s = np.array([audio.duration_s for audio in audios])
            long[seed] = (made_s > TOO_LONG * wanted_s + 0.5).sum()
            short[seed] = (made_s < TOO_SHORT * wanted_s - 0.5).sum()
            print(f"seed {seed}: {long[seed]:.0f} too long, {short[seed]:.0f} too short", flush=True)
        figures |= {"runaways, seed 0": long[0], "early stops, seed 0": short[0]}
        figures["share over all seeds"] = float((long + short).sum()) / (len(texts) * self.seeds)
        return figures

    async def lengths(self) -> Figures:
        """How far the length is from the wanted one, with `tokens` given."""
        errors = []
        for text in self.texts:
            wanted = len(self._flite_samples(text)) // FRAME_SAMPLES
            audio = await self.synth.say(text, options=SynthesisOptions(tokens=wanted))
            errors.append(abs(len(audio.samples) / FRAME_SAMPLES - wanted) / wanted)
        return {"sentences": len(self.texts), "mean error with tokens": float(np.mean(errors))}

    async def cloning(self, cases: int = 60) -> Figures:
        """How often cloned speech is identified, by Resemblyzer, as its reference's speaker."""
        listener = Listener(self.flite, self.voices, self.texts[-8:])
        right = 0
        for case in range(cases):
            voice = self.voices[case % len(self.voices)]
            reference = Audio(self.flite.speak(voice, self.texts[-1 - case % len(self.texts)]).samples)
            audio = await self.synth.say(self.texts[case % len(self.texts)], voice=reference)
            right += listener.who(audio.samples) == voice
        return {"cases": cases, "identified as the reference's speaker": right / cases}

    async def continuity(self, texts: int = 4) -> Figures:
        """Ten sentences, given a character at a time: are they understood, and in one voice?"""
        listener = Listener(self.flite, self.voices, self.texts[-8:])
        sentences = self.texts[: 10 * texts]
        paragraphs = [sentences[start : start + 10] for start in range(0, len(sentences), 10)]
        whole = [part for each in paragraphs for part in await self._sentences(each, " ".join(each))]
        pieces = [part for each in paragraphs for part in await self._sentences(each, list(" ".join(each)))]
        who = [listener.who(part) for part in pieces if len(part) > SAMPLE_RATE_HZ]
        at_once, one_by_one = self._error_rate(sentences, whole), self._error_rate(sentences, pieces)
        return {
            "texts": texts,
            "WER of the whole text at once": at_once,
            "WER of single characters": one_by_one,
            "ratio": one_by_one / at_once,
            "sentences identified as the voice": who.count(self.voices[0]) / len(who),
        }

    async def _sentences(self, sentences: list[str], text: Text) -> list[Samples]:
        """Speak some sentences as one stream; return the samples of each, by the times of its words."""
        stream = self.synth.stream(text)
        samples = np.concatenate([chunk.samples async for chunk in stream])
        borders = np.cumsum([len(sentence) + 1 for sentence in sentences])[:-1]
        words = stream.words
        begins_s = [min(word.start_s for word in words if word.char_end > border) for border in borders]
        at = [0, *(int(second * SAMPLE_RATE_HZ) for second in begins_s)]
        return [samples[i:j] for i, j in zip(at, [*at[1:], len(samples)], strict=True)]

    async def _say_all(self, texts: list[str], options: SynthesisOptions | None = None) -> list[Audio]:
        return list(await asyncio.gather(*(self.synth.say(text, options=options) for text in texts)))

    def _flite_samples(self, text: str) -> Samples:
        return self.flite.speak(self.voices[0], text).trimmed().samples

    def _error_rate(self, texts: list[str], waves: list[Samples]) -> float:
        recogniser = Recogniser()
        return error_rate(zip(texts, map(recogniser.words, waves), strict=True))


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
    options = EngineOptions(max_queue=10_000, max_lead_ms=600_000)
    async with await StreamingSynthesizer.load(args.model, options=options) as synth:
        flite, voices = Flite(args.work / "root"), settings.corpus.voices
        evaluation = Evaluation(synth, flite, voices, texts[: args.sentences], args.seeds, args.robust)
        sections: dict[str, Callable[[], Awaitable[Figures]]] = {
            "speech": evaluation.speech,
            "robustness": evaluation.robustness,
            "lengths": evaluation.lengths,
            "cloning": evaluation.cloning,
            "continuity": evaluation.continuity,
            "speed": lambda: _speed(synth),
        }
        for name in (name for name in SECTIONS if name in args.only and name in sections):
            results[name] = await sections[name]()
            print(name, results[name], flush=True)
    return results


async def _speed(synth: StreamingSynthesizer) -> Figures:
    (figures,) = await measure(synth)
    return {**figures}


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
