"""Faster or slower speech at the same pitch, by FFmpeg's `atempo`, chunk by chunk."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from moss_stream.audio import AudioChunk

__all__ = ["FASTEST", "SLOWEST", "Tempo", "at_speed"]

SLOWEST, FASTEST = 0.25, 4.0
"""Beyond these nothing is understood any more; OpenAI's clients ask for no more either."""
LEAST_OF_ONE = 0.5
"""`atempo` goes down to half; two in a row to a quarter."""


class Tempo:
    """Stretches one stream in time.

    The filter holds back up to 80 ms at 24 kHz.

    Args:
        speed: Times the ordinary one, from `SLOWEST` to `FASTEST`.
        rate: Of the samples, in Hz.
        channels: Of the samples: 1 or 2.
    """

    def __init__(self, speed: float, rate: int, channels: int) -> None:
        import av.filter

        self._rate, self._channels = rate, channels
        self._layout = "mono" if channels == 1 else "stereo"
        graph: Any = av.filter.Graph()
        steps = [speed] if speed >= LEAST_OF_ONE else [LEAST_OF_ONE, speed / LEAST_OF_ONE]
        filters = [graph.add("atempo", f"{step:.6f}") for step in steps]
        source = graph.add_abuffer(
            sample_rate=rate, format="s16", layout=self._layout, time_base=Fraction(1, rate)
        )
        form = graph.add("aformat", f"sample_fmts=s16:channel_layouts={self._layout}")
        nodes = [source, *filters, form, graph.add("abuffersink")]
        for node, following in zip(nodes, nodes[1:], strict=False):
            node.link_to(following)
        graph.configure()
        self._graph = graph
        self._num_taken = 0

    def feed(self, samples: npt.NDArray[np.int16], is_last: bool = False) -> npt.NDArray[np.int16]:
        """Take samples [N] or [N, channels]; return as many as are ready; after the last ones, all."""
        import av

        if len(samples):
            flat = np.ascontiguousarray(samples).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(flat, format="s16", layout=self._layout)
            frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
            frame.pts = self._num_taken
            self._num_taken += len(samples)
            self._graph.push(frame)
        if is_last:
            self._graph.push(None)
        flat = np.concatenate([np.zeros(0, np.int16), *self._ready()])
        return flat if self._channels == 1 else flat.reshape(-1, self._channels)

    def _ready(self) -> list[npt.NDArray[np.int16]]:
        import av

        parts = []
        while True:
            try:
                parts.append(self._graph.pull().to_ndarray().reshape(-1))
            except (av.BlockingIOError, av.EOFError):
                return parts


async def at_speed(chunks: AsyncIterable[AudioChunk], speed: float) -> AsyncIterator[AudioChunk]:
    """Yield chunks as they are played at another speed: the audio of each, as far as it is ready.

    Their times are those of what is played. The final chunk carries the rest, and is the last one still.
    """
    tempo: Tempo | None = None
    played_s = 0.0
    async for chunk in chunks:
        if speed == 1.0:
            yield chunk
            continue
        tempo = tempo or Tempo(speed, chunk.sample_rate, chunk.channels)
        samples = tempo.feed(chunk.samples, is_last=chunk.is_final)
        duration_s = len(samples) / chunk.sample_rate
        changed = replace(chunk, pcm=samples.tobytes(), start_s=played_s, duration_s=duration_s)
        played_s += duration_s
        if chunk.is_final and changed.pcm:
            yield replace(changed, is_final=False)
            changed = replace(changed, pcm=b"", start_s=played_s, duration_s=0.0, is_final=True)
        yield changed
