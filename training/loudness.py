"""Bring the voices of a packaged model to one loudness: measure what they say, and write a gain for each.

    python -m training.loudness [--model FOLDER]

One codec speaks for all voices, so the gain belongs to the voice. The quietest voice stays as it is, unless
it clips; nobody is louder than that, and nobody's peak is above -1 dBFS.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from moss_stream import StreamingSynthesizer, SynthesisOptions, Voice
from moss_stream.embedded import embedded_model
from moss_stream.voices import VOICES_FILE

TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "Good morning, how are you today?",
    "Please wait a moment while I check that for you.",
    "I am sorry, but I cannot find your order.",
    "Thank you very much for calling us.",
    "Can you please repeat the last number?",
    "The weather is nice and warm this afternoon.",
    "Open the door and turn on the light.",
)
SEEDS = 3
HEADROOM = 0.25
"""Measured at a quarter of the level, so that what would clip can be seen."""
MAX_PEAK = 10 ** (-1 / 20)
QUIET = 0.02
"""Samples below are pauses, and say nothing of how loud a voice is."""


async def measure(synth: StreamingSynthesizer, voice: Voice) -> tuple[float, float]:
    """Return the root mean square of a voice's speech and its peak, at gain 1."""
    quiet, powers, peaks = replace(voice, gain=HEADROOM), [], []
    for text in TEXTS:
        for seed in range(SEEDS):
            audio = await synth.say(text, voice=quiet, options=SynthesisOptions(seed=seed))
            samples = np.abs(audio.samples / 32768 / HEADROOM)
            powers.append(np.mean(np.square(samples[samples > QUIET])))
            peaks.append(samples.max())
    return float(np.sqrt(np.mean(powers))), float(max(peaks))


def gains(measured: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Return the gain of each voice, of its loudness and its peak."""
    level = min(loudness * min(1.0, MAX_PEAK / peak) for loudness, peak in measured.values())
    return {
        name: round(min(level / loudness, MAX_PEAK / peak), 2) for name, (loudness, peak) in measured.items()
    }


async def balance(model: Path) -> None:
    """Measure all voices, and write their gains."""
    async with await StreamingSynthesizer.load(model) as synth:
        measured = {name: await measure(synth, voice) for name, voice in synth.voices.items()}
    file = model / VOICES_FILE
    voices = json.loads(file.read_text(encoding="utf-8"))
    for name, gain in gains(measured).items():
        loudness, peak = measured[name]
        print(f"{name}: {20 * np.log10(loudness):.1f} dBFS, peak {peak:.2f}: gain {gain}")
        voices[name]["gain"] = gain
    file.write_text(json.dumps(voices), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="instead of the embedded voice")
    asyncio.run(balance(parser.parse_args().model or embedded_model()))
