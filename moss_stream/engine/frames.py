"""One frame of many streams: computed step by step, or replayed from a recording."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from moss_stream.engine.generator import FrameGenerator, FrameShape
from moss_stream.engine.protocol import Frame
from moss_stream.engine.vocoder import Vocoder

__all__ = ["FrameRunner", "Recorder", "RecordingFailed"]

logger = logging.getLogger("moss_stream.engine")
Work = Callable[[], None]


class RecordingFailed(Exception):
    """Work cannot be recorded; it can still be done."""


class Recorder(Protocol):
    """Turns work on fixed memory into something that repeats it."""

    def record(self, work: Work) -> Work:
        """Record `work`; calling the result does it again, on the same memory.

        Raises:
            RecordingFailed: For lack of memory, or whatever the device says.
        """


class FrameRunner:
    """Generator and vocoder as one.

    Recordings are made for a few shapes: numbers of streams and contexts are rounded up to powers of two.
    A recording reads and writes the buffers of generator and vocoder alone, and these never leave them.

    Args:
        generator: Samples the rows.
        vocoder: Turns them into sound.
        recorder: None computes every step anew.
    """

    def __init__(self, generator: FrameGenerator, vocoder: Vocoder, recorder: Recorder | None) -> None:
        self._generator = generator
        self._vocoder = vocoder
        self._recorder = recorder
        self._recordings: dict[FrameShape, Work] = {}
        self._chosen: dict[FrameShape, Work] = {}

    @property
    def shapes(self) -> list[FrameShape]:
        """What is recorded."""
        return list(self._recordings)

    def step(self, slots: Sequence[int]) -> list[Frame]:
        """Make the next frame of the streams in `slots`."""
        shape = self._generator.prepare(slots)
        if self._recorder is not None and (rounded := self._generator.rounded(shape)) not in self._chosen:
            self._chosen[rounded] = self._find(rounded)
            self._generator.prepare(slots)  # recording lays out a step of its own
        if self._recorder is None:
            self._work(shape)
        else:
            self._chosen[rounded]()
        self._generator.note(slots)
        return self._vocoder.frames(slots)

    def record(self, n_vq: int) -> None:
        """Record all shapes of `n_vq` codebooks, the largest first: the others fit into its memory."""
        if self._recorder is None:
            return
        most = self._generator.max_shape(n_vq)
        for batch in _halves(most.batch, 1):
            for context in _halves(most.context, self._generator.min_context):
                shape = FrameShape(batch, context, n_vq, is_masked=True, is_mixed=True)
                if self._recorder is not None and shape not in self._recordings:
                    self._record(self._recorder, shape)

    def _find(self, shape: FrameShape) -> Work:
        """Return the smallest recording that fits; make one if there is none."""
        fitting = [other for other in self._recordings if other.fits(shape)]
        if not fitting and self._recorder is not None:
            return self._record(self._recorder, shape)
        return self._recordings[min(fitting, key=lambda other: (other.batch * other.context, other.batch))]

    def _record(self, recorder: Recorder, shape: FrameShape) -> Work:
        """Record a shape; from the first failure on nothing is recorded any more, and steps are computed."""
        self._generator.idle()  # what is done while recording leaves no trace
        try:
            self._recordings[shape] = recorder.record(lambda: self._work(shape))
        except RecordingFailed as error:
            logger.warning(
                "A frame of %d streams cannot be recorded (%s): frames are computed step by step from now "
                "on, which is slower. If memory is short, lower max_streams or max_context.",
                shape.batch,
                error,
            )
            self._recorder, self._recordings, self._chosen = None, {}, {}
            return lambda: self._work(shape)
        return self._recordings[shape]

    def _work(self, shape: FrameShape) -> None:
        self._vocoder.compute(self._generator.compute(shape))


def _halves(most: int, least: int) -> list[int]:
    """Return `most`, and the powers of two times `least` below it, the largest first."""
    sizes = {most}
    size = least
    while size < most:
        sizes.add(size)
        size *= 2
    return sorted(sizes, reverse=True)
