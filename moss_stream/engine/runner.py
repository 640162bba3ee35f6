"""One frame of many streams, or one chunk of a prompt: computed step by step, or replayed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from moss_stream.engine.chunk import ChunkShape
from moss_stream.engine.generator import CONTEXT_BUCKET, FrameGenerator, FrameShape
from moss_stream.engine.protocol import Frame
from moss_stream.engine.vocoder import Vocoder

__all__ = ["Compute", "EagerCompute", "FrameRunner", "Capture", "CaptureFailed"]

logger = logging.getLogger("moss_stream.engine")
Work = Callable[[], None]
S = TypeVar("S")


class CaptureFailed(Exception):
    """Work cannot be captured; it can still be done."""


class Capture(Protocol):
    """Turns work on fixed memory into something that repeats it."""

    def capture(self, work: Work) -> Work:
        """Capture `work`; calling the result does it again, on the same memory.

        Raises:
            CaptureFailed: For lack of memory, or whatever the device says.
        """


class Compute(Protocol):
    """Does what generator and vocoder have laid out, on their memory."""

    def chunk(self, shape: ChunkShape) -> None:
        """Run a chunk of a prompt."""

    def frame(self, shape: FrameShape) -> None:
        """Make a frame of the streams that are planned."""


class EagerCompute:
    """`Compute` by PyTorch, operation by operation, on any device."""

    def __init__(self, generator: FrameGenerator, vocoder: Vocoder) -> None:
        self._generator, self._vocoder = generator, vocoder

    def chunk(self, shape: ChunkShape) -> None:
        """See `Compute`."""
        self._generator.chunk.compute(shape)

    def frame(self, shape: FrameShape) -> None:
        """See `Compute`."""
        self._vocoder.compute(self._generator.compute(shape))


class FrameRunner:
    """Generator and vocoder as one.

    Graphs are captured for a few shapes: numbers of streams and contexts are rounded up to powers of two.
    A captured graph reads and writes the buffers of generator and vocoder alone, and these never leave them.

    Args:
        generator: Samples the rows.
        vocoder: Turns them into sound.
        capture: Captures each shape when it is first met; None computes every step anew.
        compute: Does the work; None for PyTorch.
    """

    def __init__(
        self,
        generator: FrameGenerator,
        vocoder: Vocoder,
        capture: Capture | None,
        compute: Compute | None = None,
    ) -> None:
        self._generator = generator
        self._vocoder = vocoder
        self._capture = capture
        self._compute = compute or EagerCompute(generator, vocoder)
        self._frames: dict[FrameShape, Work] = {}
        self._chunks: dict[ChunkShape, Work] = {}
        self._chosen: dict[FrameShape, Work] = {}

    @property
    def shapes(self) -> list[FrameShape | ChunkShape]:
        """What was captured."""
        return [*self._frames, *self._chunks]

    def prefill(self, slot: int) -> bool:
        """Run the next chunk of the slot's prompt; return whether that was the last one."""
        if self._generator.is_run(slot):
            return True  # a conversation goes on, and its text has not come
        shape = self._generator.prepare_chunk(slot)
        rounded = self._generator.rounded_chunk(shape)
        if self._capture is not None and rounded not in self._chunks:
            self._capture_chunk(self._capture, rounded)
            self._generator.prepare_chunk(slot)  # the capture laid out a chunk of its own
        if self._capture is None:
            self._compute.chunk(shape)
        else:
            self._chunks[rounded]()
        return self._generator.note_chunk(slot)

    def step(self, slots: Sequence[int]) -> list[Frame]:
        """Make the next frame of the streams in `slots`."""
        shape = self._generator.prepare(slots)
        if self._capture is not None and (rounded := self._generator.rounded(shape)) not in self._chosen:
            self._chosen[rounded] = self._find(self._capture, rounded)
            self._generator.prepare(slots)  # the capture laid out a step of its own
        if self._capture is None:
            self._compute.frame(shape)
        else:
            self._chosen[rounded]()
        self._generator.note(slots)
        frames = self._vocoder.frames(slots)
        for slot, frame in zip(slots, frames, strict=True):
            self._generator.made(slot, frame.codes, frame.is_outside)
        return frames

    def capture(self, n_vq: int) -> None:
        """Capture all shapes of `n_vq` codebooks, the largest first: the others fit into its memory."""
        most = self._generator.max_shape(n_vq)
        shortest = self._generator.min_context
        for length in self._generator.chunk.lengths:
            for context in _halves(most.context, CONTEXT_BUCKET):
                chunk = ChunkShape(length, context, n_vq)
                if self._capture is not None and context >= length and chunk not in self._chunks:
                    self._capture_chunk(self._capture, chunk)
        for batch in _halves(most.batch, 1):
            for context in _halves(most.context, shortest):
                for is_outside in sorted({most.is_outside, False}, reverse=True):
                    shape = FrameShape(batch, context, n_vq, True, True, is_outside)
                    if self._capture is not None and shape not in self._frames:
                        self._capture_frame(self._capture, shape)

    def _find(self, capture: Capture, shape: FrameShape) -> Work:
        """Return the smallest captured graph that fits; capture one if there is none."""
        fitting = [other for other in self._frames if other.fits(shape)]
        if not fitting:
            return self._capture_frame(capture, shape)
        return self._frames[min(fitting, key=_cost)]

    def _capture_frame(self, capture: Capture, shape: FrameShape) -> Work:
        self._generator.idle()  # a capture leaves no trace
        return self._captured(
            capture,
            lambda: self._compute.frame(shape),
            self._frames,
            shape,
            f"A frame of {shape.batch} streams",
        )

    def _capture_chunk(self, capture: Capture, shape: ChunkShape) -> Work:
        chunk = self._generator.chunk
        chunk.idle(shape)
        work = self._captured(
            capture,
            lambda: self._compute.chunk(shape),
            self._chunks,
            shape,
            f"A chunk of {shape.length} rows",
        )
        chunk.note()
        return work

    def _captured(self, capture: Capture, work: Work, kept: dict[S, Work], shape: S, what: str) -> Work:
        """Capture `work` and keep the graph; after a failure nothing is captured any more."""
        try:
            kept[shape] = capture.capture(work)
            return kept[shape]
        except CaptureFailed as error:
            logger.warning(
                "%s cannot be captured (%s): everything is computed step by step from now on, which is "
                "slower. If memory is short, lower max_streams or max_context.",
                what,
                error,
            )
            self._capture, self._frames, self._chunks, self._chosen = None, {}, {}, {}
            return work


def _cost(shape: FrameShape) -> tuple[int, int, bool]:
    """Return what makes one captured frame slower than another."""
    return shape.batch * shape.context, shape.batch, shape.is_outside


def _halves(most: int, least: int) -> list[int]:
    """Return `most`, and the powers of two times `least` below it, the largest first."""
    sizes = {most}
    size = least
    while size < most:
        sizes.add(size)
        size *= 2
    return sorted(sizes, reverse=True)
