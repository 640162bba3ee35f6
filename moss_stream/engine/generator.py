"""Frame generation: rows into the persistent KV cache, then one row a step for many streams at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from moss_stream.config import EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.chunk import ChunkShape, PromptChunk
from moss_stream.engine.fed_text import FedText
from moss_stream.engine.prefix_store import PrefixStore
from moss_stream.engine.slot import Slot
from moss_stream.errors import EngineError
from moss_stream.families.network import Network
from moss_stream.nn.qwen3 import causal_mask
from moss_stream.nn.sampling import Sampler
from moss_stream.text.message import Rows

__all__ = ["FrameGenerator", "FrameShape", "Step"]

CONTEXT_BUCKET = 256
"""Streams of one batch attend over the same number of rows, rounded up to a multiple of this."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next row of each of the first B streams, on the device."""

    rows: Tensor
    """[B, 1 + Nq] int64; the buffer is written again by the next step."""
    active: Tensor
    """[B] bool: the streams that were stepped."""
    n_vq: int
    """The most codebooks that any of them uses."""
    used: Tensor | None = None
    """[B, n_vq] bool: the codebooks of each; None if all use as many."""


@dataclass(frozen=True, slots=True)
class FrameShape:
    """What the host decides of a step; everything else is read from the device's own memory."""

    batch: int
    """Slots that are computed, from the first one on."""
    context: int
    """Rows of the cache that are attended over; 0 if no stream has a row that is not in it."""
    n_vq: int
    """The most codebooks that any stream uses."""
    is_masked: bool
    """Streams may have fewer rows than the context."""
    is_mixed: bool
    """Streams may use fewer codebooks."""
    is_outside: bool = False
    """Streams may be outside audio, where the text channel is sampled from all ids."""

    def fits(self, other: FrameShape) -> bool:
        """Tell whether a step of this shape can do the work of one of the `other` shape."""
        return (
            self.batch >= other.batch
            and self.context >= other.context
            and self.n_vq == other.n_vq
            and self.is_masked >= other.is_masked
            and self.is_mixed >= other.is_mixed
            and self.is_outside >= other.is_outside
        )


class FrameGenerator:
    """The autoregressive loop.

    Buffers are allocated once, for `max_streams` slots. Streams that are stepped together are computed in
    one batch, which reaches from slot 0 to the last of them; slots in between are computed too, but stay as
    they are. Prefill runs in chunks at fixed borders, one of them where the text of a prompt begins. Chunks
    whose rows have not changed since the last prefill are kept, and what is before the text is kept for all
    slots: keys and values are bit for bit those that running them again would give.

    Attributes:
        capacity: Rows of context of each slot.
        cache: The backbone's keys and values, with a row more that nobody reads.
        scratch: What the next row is made with; see `Network.next_row`.
        sampler: Draws, and remembers.
        rows: [slots + 1, 1 + Nq] int64: the last row that was sampled for each slot.
        hidden: [slots + 1, hidden]: what each slot's next row is sampled from.
        plan: [4, slots] int64, on the host: whether each is stepped, whether its last row is not in the cache
            yet, the rows that are, and its number of codebooks.
        chunk: Runs prompts.
    """

    def __init__(self, model: Network, options: EngineOptions) -> None:
        rows, batch, device = model.rows, options.max_streams, model.device
        self._model = model
        self._batch, self._is_fixed = batch, options.fixed_batch
        self._finds_rows = model.finds_rows
        self.capacity = min(options.max_context, rows.max_rows)
        # Slots that are computed but not stepped write to one more row, which nobody reads.
        self.cache = model.new_cache(batch, self.capacity + 1)
        self._prefixes = PrefixStore(self.capacity)  # it costs as much as one more slot
        self.scratch = model.new_scratch(batch)
        count = rows.num_codebooks
        draw = model.ops.sample
        self.sampler = Sampler(
            batch,
            count,
            rows.vocab_size,
            device,
            rows.pad_code,
            draw,
            rows.window,
            rows.penalises_greedy,
            rows.penalises_prompt,
        )
        self._caches = [self.cache.part(0, n) for n in range(1, batch + 1)]
        self._scratches = [self.scratch.part(0, n) for n in range(1, batch + 1)]
        # One more, which nobody reads, for chunks of no slot.
        self.rows = torch.zeros(batch + 1, 1 + count, dtype=torch.int64, device=device)
        self._sampled = torch.zeros_like(self.rows)
        self.hidden = torch.zeros(batch + 1, model.width, dtype=model.dtype, device=device)
        self.chunk = PromptChunk(model, self.cache, options.prefill_chunk, self.hidden, self.rows)
        # For each slot: whether it is stepped, whether it has a new row, its length and its codebooks.
        self.plan = torch.zeros(4, batch, dtype=torch.int64, pin_memory=device.type == "cuda")
        self._state = torch.zeros(4, batch, dtype=torch.int64, device=device)
        self._codebooks = torch.arange(count, device=device)
        none: Rows = np.empty((0, 1 + count), dtype=np.int64)
        self._feed, self._delay, self._wants_all_text = rows.feed, rows.delay, options.text_head == "full"
        self._slots = [Slot(count, none, text=self._new_text()) for _ in range(batch)]
        # The text id that each slot's last row is read with.
        self._given = torch.zeros(batch, dtype=torch.int64, pin_memory=device.type == "cuda")
        self._given_here = torch.zeros(batch, dtype=torch.int64, device=device)

    def open(self, slot: int, options: SynthesisOptions) -> None:
        """Start a stream in a slot with its sampling options, seed and number of codebooks."""
        count = self._model.rows.num_codebooks
        # With a delay pattern, rows have all codebooks, however many of them are heard.
        used = count if self._delay is not None else options.n_vq or count
        self._slots[slot].open(used)
        sampling = options.sampling or SamplingOptions()
        self.sampler.configure(slot, sampling.channels(count), options.seed)

    def begin(self, slot: int, rows: Rows, num_fixed: int = 0) -> None:
        """Take the context of the slot's next frame.

        Args:
            slot: Its number.
            rows: [T, 1 + Nq], at most `capacity`.
            num_fixed: How many rows at the start other prompts are likely to share.
        """
        state = self._slots[slot]
        state.begin(rows, num_fixed, self.chunk.most)
        state.open_text(self.chunk.most)  # what the segment before did not read
        part = self.cache.part(slot, slot + 1)
        if state.length < num_fixed and (num_fixed < len(rows) or state.text is not None):
            if self._prefixes.restore(rows[:num_fixed], state.n_vq, part):
                state.skip_fixed()

    def _new_text(self) -> FedText | None:
        return None if self._feed is None else FedText(self._feed, self._model.rows.num_codebooks)

    def give(self, slot: int, tokens: Sequence[int], is_last: bool) -> None:
        """Give a stream text that is read while it is spoken."""
        state = self._slots[slot]
        if state.text is None:
            raise EngineError("This model reads the whole text of a segment before it speaks it.")
        state.text.give(tokens, is_last)
        state.open_text(self.chunk.most)

    def is_fed(self, slot: int) -> bool:
        """Tell whether the slot needs no text before its next step."""
        return self._slots[slot].is_fed

    def num_unread(self, slot: int) -> int:
        """Return how many tokens the slot was given that no step has read."""
        text = self._slots[slot].text
        return 0 if text is None else text.num_unread

    def is_run(self, slot: int) -> bool:
        """Tell whether all that is there of the slot's prompt is in the cache."""
        return self._slots[slot].is_run

    def forget(self, slot: int) -> None:
        """Trust nothing that is in the slot's cache: its next prompt is run from the first row on."""
        self._slots[slot].forget()

    def prefill(self, slot: int) -> bool:
        """Run the next chunk of the slot's prompt; return whether that was the last one."""
        self.chunk.compute(self.prepare_chunk(slot))
        return self.note_chunk(slot)

    def prepare_chunk(self, slot: int) -> ChunkShape:
        """Lay out the next chunk of the slot's prompt; return the least shape that it takes."""
        state = self._slots[slot]
        end = state.next_border
        rows = state.rows[state.length : end]
        return self.chunk.lay_out(slot, rows, state.length, state.n_vq, self._context(end))

    @torch.inference_mode()
    def note_chunk(self, slot: int) -> bool:
        """Note that the chunk was computed; return whether it was the last one."""
        state = self._slots[slot]
        self.chunk.note()
        is_last = state.ran()
        if state.length == state.num_fixed:
            cache = self.cache.part(slot, slot + 1)
            self._prefixes.put(state.rows[: state.length], state.n_vq, cache)
        if is_last:
            self.sampler.remember(slot, torch.from_numpy(state.rows[:, 1:]))
            self.scratch.begin(slot, state.rows)
            state.is_outside = self._is_outside(int(state.rows[-1, 0]))
        return is_last

    def _is_outside(self, text_id: int) -> bool:
        """Tell whether the row after a text id is one of words."""
        delay = self._delay
        return delay is not None and text_id not in (delay.start_id, delay.slot_id)

    def _context(self, rows: int) -> int:
        """Return how many rows of the cache to attend over, so that there are few different numbers."""
        return min(-(-rows // CONTEXT_BUCKET) * CONTEXT_BUCKET, self.capacity)

    def step(self, slots: Sequence[int]) -> Step:
        """Sample the next row of the streams in `slots`."""
        step = self.compute(self.prepare(slots))
        self.note(slots)
        return step

    def prepare(self, slots: Sequence[int]) -> FrameShape:
        """Lay out what the device has to know of the next step; return the least shape that it takes."""
        self._set_stepped(slots)
        stepped = [self._slots[slot] for slot in slots]
        batch = self._batch if self._is_fixed else 1 + max(slots)
        rows = max((1 + state.length for state in stepped if not state.is_fresh), default=0)
        counts = {state.n_vq for state in stepped}
        context = self._context(rows) if batch > 1 else rows
        is_outside = self._delay is not None and (
            self._wants_all_text or any(state.is_outside for state in stepped)
        )
        return FrameShape(batch, context, max(counts), batch > 1, len(counts) > 1, is_outside)

    @property
    def min_context(self) -> int:
        """The shortest context that steps of several streams are captured for."""
        return self.capacity if self._finds_rows else min(CONTEXT_BUCKET, self.capacity)

    def max_shape(self, n_vq: int) -> FrameShape:
        """Return the shape that fits every step of streams with `n_vq` codebooks."""
        return FrameShape(self._batch, self.capacity, n_vq, True, True, self._delay is not None)

    def rounded(self, shape: FrameShape) -> FrameShape:
        """Return one of a few shapes, that fits: powers of two, with all masks."""
        batch = min(1 << (shape.batch - 1).bit_length(), self._batch)
        context = self.capacity if self._finds_rows else self._rounded_context(shape.context)
        return FrameShape(batch, context, shape.n_vq, True, True, shape.is_outside)

    def rounded_chunk(self, shape: ChunkShape) -> ChunkShape:
        """Return one of a few shapes, that fits: contexts are powers of two."""
        return ChunkShape(shape.length, self._rounded_context(shape.context), shape.n_vq)

    def _rounded_context(self, context: int) -> int:
        buckets = -(-max(1, context) // CONTEXT_BUCKET)
        return min(CONTEXT_BUCKET << (buckets - 1).bit_length(), self.capacity)

    def idle(self) -> None:
        """Lay out a step of no stream: whatever is computed leaves no trace."""
        self._set_stepped(())

    def _set_stepped(self, slots: Sequence[int]) -> None:
        active, has_row, length, n_vq = self.plan.numpy()
        active[:] = 0
        active[list(slots)] = 1
        has_row[:] = [not slot.is_fresh for slot in self._slots]
        length[:] = [slot.length for slot in self._slots]
        if self._feed is not None:
            self._given.numpy()[:] = [slot.text.next_id if slot.text else 0 for slot in self._slots]
        n_vq[:] = [slot.n_vq for slot in self._slots]

    @torch.inference_mode()
    def compute(self, shape: FrameShape) -> Step:
        """Do the work of a step on the device: no decision of the host, no wait for the device."""
        self._state.copy_(self.plan, non_blocking=True)
        stepped, has_row, length, n_vq = self._state[:, : shape.batch]
        if self._feed is not None:
            self._given_here.copy_(self._given, non_blocking=True)
            self.rows[: shape.batch, 0].copy_(self._given_here[: shape.batch])
        active = stepped.bool()
        used = self._codebooks < n_vq[:, None] if shape.is_mixed else None
        if shape.context:
            self._backbone(shape, active & has_row.bool(), length, used)
        self.sampler.next_frame(active, self.rows[: shape.batch, 1:])
        scratch, sampled = self._scratches[shape.batch - 1], self._sampled[: shape.batch]
        hidden = self.hidden[: shape.batch]
        self._model.next_row(hidden, shape.n_vq, scratch, self.sampler, sampled, shape.is_outside)
        sampled[:, 1:].mul_(self._codebooks < n_vq[:, None])
        rows = self.rows[: shape.batch]
        rows.copy_(torch.where(active[:, None], sampled, rows))
        return Step(rows, active, shape.n_vq, None if used is None else used[:, : shape.n_vq])

    def note(self, slots: Sequence[int]) -> None:
        """Note that the step of `slots` was computed."""
        for slot in slots:
            state = self._slots[slot]
            state.length += not state.is_fresh
            state.is_fresh = False
            if state.text is not None:
                state.text.stepped()

    def made(self, slot: int, codes: npt.NDArray[np.int64], is_outside: bool = False) -> None:
        """Note, of a slot whose step was computed, the codes [Nq] that it made, and whether words follow."""
        state = self._slots[slot]
        state.is_outside = is_outside
        if state.text is not None:
            state.text.made(codes)

    def _backbone(self, shape: FrameShape, stepped: Tensor, length: Tensor, used: Tensor | None) -> None:
        """Run the last row of the `stepped` streams [B] through the backbone."""
        positions = torch.where(stepped, length, self.capacity)[:, None]
        is_masked = shape.is_masked and not self._finds_rows
        mask = causal_mask(positions, shape.context) if is_masked else None
        rows, cache = self.rows[: shape.batch, None], self._caches[shape.batch - 1]
        few = None if used is None else used[:, : shape.n_vq]
        hidden = self._model.hidden(rows, shape.n_vq, positions, cache, shape.context, mask, few)
        old = self.hidden[: shape.batch]
        old.copy_(torch.where(stepped[:, None], hidden[:, 0], old))

    def state(self) -> list[Tensor]:
        """Return every tensor that outlives a step, to prove that nothing grows."""
        caches = [self.cache.keys, self.cache.values, *self.scratch.state()]
        buffers = [self.rows, self._sampled, self.hidden, self.plan, self._state]
        return [*caches, *self.sampler.state(), *buffers, self._given, self._given_here]
