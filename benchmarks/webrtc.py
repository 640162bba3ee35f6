"""A minute of speech over WebRTC: does all of it arrive, in time, and is it understood?

    python -m benchmarks.webrtc [--sentences 20]

Talks to a peer in Python and to headless Chromium, one after the other; the server runs in this process, with
the embedded voice. Needs the extras `dev` and `training`, and Chromium.
"""

from __future__ import annotations

import argparse
import asyncio

import httpx
import numpy as np
import numpy.typing as npt
import soxr

from benchmarks.far_ends import Caller, heard_in_chromium
from benchmarks.serving import serving
from moss_stream import StreamingSynthesizer
from training.recognise import Recogniser, error_rate

SENTENCES = (
    "The quick brown fox jumps over the lazy dog.",
    "Good morning, how are you today?",
    "The train leaves at nine and arrives before noon.",
    "Please open the window and close the door.",
    "We walked along the river and talked about the weather.",
)
BLOCK = 960
HEARD_HZ = 24_000  # of the embedded voice, and of the recogniser


async def main(num_sentences: int) -> None:
    """Print one line for each far end."""
    text = " ".join((SENTENCES * num_sentences)[:num_sentences])
    async with await StreamingSynthesizer.load() as synth:
        made = await synth.say(text)
        print(f"made: {made.duration_s:.1f} s, word error rate {_errors(text, made.samples):.2f}")
        async with serving(synth) as url:
            await _python_hears(url, text)
            await _chromium_hears(url, text)


async def _python_hears(url: str, text: str) -> None:
    caller = Caller()
    async with httpx.AsyncClient(base_url=url) as client:
        await caller.call(client)
    caller.say(text)
    await caller.until("done")
    samples, jumps = _to_24_khz(caller.samples), np.diff(caller.stamps)
    print(
        f"aiortc: {_sounding_s(samples):.1f} s from first to last sound, "
        f"word error rate {_errors(text, samples):.2f}, "
        f"{(jumps != BLOCK).sum()} of {len(jumps)} steps of the timestamps are not {BLOCK}"
    )
    await caller.aclose()


async def _chromium_hears(url: str, text: str) -> None:
    heard = await heard_in_chromium(url, text)
    samples = _to_24_khz(heard.samples)
    print(
        f"Chromium: {_sounding_s(samples):.1f} s from first to last sound, "
        f"word error rate {_errors(text, samples):.2f}, {heard.packets_lost} packets lost, "
        f"{heard.concealments} gaps concealed"
    )


def _to_24_khz(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    narrow: npt.NDArray[np.int16] = soxr.resample(samples, 48_000, HEARD_HZ)
    return narrow


def _sounding_s(samples: npt.NDArray[np.int16]) -> float:
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 200)
    return float(loud[-1] - loud[0]) / HEARD_HZ


def _errors(text: str, samples: npt.NDArray[np.int16]) -> float:
    return error_rate([(text, Recogniser().words(samples))])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=int, default=20)
    asyncio.run(main(parser.parse_args().sentences))
