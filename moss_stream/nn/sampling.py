"""Sampling as tensor arithmetic: the reference's order, no host sync, one random stream per seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moss_stream.config import ChannelSampling
from moss_stream.nn.recent import RecentFrames

__all__ = ["ChannelOptions", "Draw", "Sampler", "process", "sample", "uniform"]

_MASK32 = 0xFFFFFFFF
"""MurmurHash3 counts modulo 2**32."""
_U23 = 1.0 / (1 << 23)
"""A grid that float32 holds exactly; see `sample` for why not a finer one."""


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """The sampling options of one channel for every sequence of a batch, each [B, 1]."""

    temperature: Tensor
    tail: Tensor
    """1 - top_p, rounded once: the mass that may be cut off."""
    top_k: Tensor
    penalty: Tensor


@dataclass(frozen=True, slots=True)
class Draw:
    """What one draw needs to know beside the logits.

    Attributes:
        options: Of the channel.
        uniform: [B, 1]: random numbers.
        active: [B] bool: the sequences that remember what they draw.
        seen: [B, V] bool: what occurs in the sequence, and is penalised; None for the text channel.
        pad: A value that is never drawn; None if all may be.
    """

    options: ChannelOptions
    uniform: Tensor
    active: Tensor
    seen: Tensor | None = None
    pad: int | None = None


def process(logits: Tensor, options: ChannelOptions, seen: Tensor | None) -> Tensor:
    """Apply repetition penalty, temperature, top-k and top-p, in this order.

    The order and the treatment of ties follow the logits processors of transformers 5.0.0, which
    the reference implementation uses.

    Args:
        logits: [B, V], float32.
        options: Of this channel.
        seen: [B, V] bool, the values that occur anywhere in the sequence; None for no penalty.

    Returns:
        Scores [B, V]; what was filtered out is -inf.
    """
    if seen is not None:
        penalised = torch.where(logits < 0, logits * options.penalty, logits / options.penalty)
        logits = torch.where(seen, penalised, logits)
    # Temperature 0 is decided by the caller; 1 keeps the arithmetic finite.
    logits = logits / torch.where(options.temperature > 0, options.temperature, 1.0)

    size = logits.shape[-1]
    # Stable, so that the same of several equal values is cut off on every device.
    ascending, order = torch.sort(logits, dim=-1, stable=True)
    kth = (size - options.top_k).clamp(0, size - 1)
    threshold = ascending.gather(-1, torch.where(options.top_k > 0, kth, 0))
    ascending = ascending.masked_fill(ascending < threshold, -torch.inf)
    below = torch.softmax(ascending, dim=-1).cumsum(dim=-1) <= options.tail
    below[:, -1] = False  # the most likely value always stays
    return torch.empty_like(logits).scatter_(-1, order, ascending.masked_fill(below, -torch.inf))


def sample(logits: Tensor, draw: Draw, out: Tensor) -> None:
    """Draw one value of each row of `logits` [B, V] into `out` [B] int64, and remember it."""
    logits = logits.float()
    if draw.pad is not None:
        logits[:, draw.pad] = -torch.inf
    cumulative = torch.softmax(process(logits, draw.options, draw.seen), dim=-1).cumsum(dim=-1)
    # u has 23 bits, so u * total stays below total after rounding, and a value of probability
    # zero, whose cumulative sum equals its predecessor's, is never the first one above it.
    drawn = (cumulative <= draw.uniform * cumulative[:, -1:]).sum(dim=-1)
    out.copy_(torch.where(draw.options.temperature[:, 0] > 0, drawn, logits.argmax(dim=-1)))
    if draw.seen is not None:
        place = out[:, None]
        draw.seen.scatter_(1, place, draw.seen.gather(1, place) | draw.active[:, None])


def uniform(seed: Tensor, frame: Tensor, channels: Tensor) -> Tensor:
    """Return random numbers in [0, 1) that depend on nothing but the arguments.

    A counter-based generator: seed, frame and channel are mixed by three rounds of MurmurHash3's
    32-bit finalizer, so a stream draws the same numbers alone or in any batch, on any device.

    Args:
        seed: [B], int64, not negative.
        frame: [B], int64: counts the frames of the stream.
        channels: [C], int64.

    Returns:
        [B, C], float32, on a grid of 2**-23.
    """
    high, low = (seed >> 32) & _MASK32, seed & _MASK32
    key = _mix(_mix(low) ^ ((high * 0x9E3779B1) & _MASK32))
    key = _mix((key + frame * 0x85EBCA77) & _MASK32)
    mixed = _mix((key[:, None] + channels * 0xC2B2AE3D) & _MASK32)
    return (mixed >> 9).float() * _U23


def _mix(x: Tensor) -> Tensor:
    """MurmurHash3's finalizer (public domain, A. Appleby), on 32 bits kept in int64."""
    x = x ^ (x >> 16)
    x = (x * 0x85EBCA6B) & _MASK32
    x = x ^ (x >> 13)
    x = (x * 0xC2B2AE35) & _MASK32
    return x ^ (x >> 16)


class Sampler:
    """The sampling state of a batch: options, random counters and the codes already seen.

    Attributes:
        seen: [B, Nq, V] bool: which codes of each codebook occur in the sequence, prompt and
            reference included, or in the window.
        frame: [B] int64: frames sampled so far; with the seed it fixes the random numbers.
        sampled: [B, 1 + Nq] int64: what was sampled last for each channel.
        seed: [B] int64.
        floats: [3, 1 + Nq, B, 1]: temperature, tail and penalty of each channel; see `ChannelOptions`.
        top_k: [1 + Nq, B, 1] int64.
        pad: The code that is never sampled.
    """

    def __init__(
        self,
        batch: int,
        num_codebooks: int,
        vocab_size: int,
        device: torch.device,
        pad: int | None = None,
        sample: Callable[[Tensor, Draw, Tensor], None] = sample,
        window: int | None = None,
        penalises_greedy: bool = False,
        penalises_prompt: bool = True,
    ) -> None:
        """Allocate the state.

        Args:
            batch: The most sequences.
            num_codebooks: Nq.
            vocab_size: V: the values of a codebook's channel.
            device: Of everything.
            pad: The code that is never sampled.
            sample: Does a draw; see the function of this module.
            window: Frames that the repetition penalty looks back on, as the reference of
                MOSS-TTS-Realtime does it: generated codes only, and when it is greedy, too. None: all
                that was seen, and not when it is greedy, as the reference of MossTTSLocal does it.
            penalises_greedy: All that was seen, and when it is greedy, too.
            penalises_prompt: What was seen before the first frame counts; with a window it never does.
        """
        self._penalises_prompt = penalises_prompt
        self._penalises_greedy = penalises_greedy or window is not None
        self.pad, self._draw = pad, sample
        self.sampled = torch.zeros(batch, 1 + num_codebooks, dtype=torch.int64, device=device)
        self.seen = torch.zeros(batch, num_codebooks, vocab_size, dtype=torch.bool, device=device)
        self._host_seen = torch.zeros(self.seen.shape[1:], dtype=torch.bool, pin_memory=device.type == "cuda")
        self._copied = torch.cuda.Event() if device.type == "cuda" else None
        self._recent = None if window is None else RecentFrames(batch, num_codebooks, window, device)
        self.frame = torch.zeros(batch, dtype=torch.int64, device=device)
        self.seed = torch.zeros(batch, dtype=torch.int64, device=device)
        self._channels = torch.arange(1 + num_codebooks, device=device)
        # Per channel [temperature, tail, penalty] and top_k, for every sequence: [3, C, B, 1] and [C, B, 1].
        self.floats = torch.ones(3, 1 + num_codebooks, batch, 1, device=device)
        self.top_k = torch.zeros(1 + num_codebooks, batch, 1, dtype=torch.int64, device=device)
        self._uniform = torch.zeros(batch, 1 + num_codebooks, device=device)
        self._active = torch.ones(batch, dtype=torch.bool, device=device)

    def configure(self, slot: int, channels: Sequence[ChannelSampling], seed: int) -> None:
        """Give sequence `slot` its options, text channel first, and restart its random stream."""
        if self._penalises_greedy:
            channels = [_penalised(channel) for channel in channels]
        values = torch.tensor([[c.temperature, 1.0 - c.top_p, c.repetition_penalty] for c in channels])
        self.floats[:, :, slot, 0] = values.T
        self.top_k[:, slot, 0] = torch.tensor([c.top_k for c in channels])
        self.seed[slot] = seed
        self.frame[slot] = 0

    def remember(self, slot: int, codes: Tensor) -> None:
        """Set what sequence `slot` has seen to the codes of its rows [T, Nq] (on the CPU), pad included.

        If a prompt is not penalised, nothing was seen: the frames are still to come.
        """
        if self._recent is not None:
            self._recent.restart(slot)
            return
        if not self._penalises_prompt:
            self.seen[slot].zero_()
            return
        if self._copied is not None:
            self._copied.synchronize()  # the device may still be reading what was set before
        self._host_seen.zero_().scatter_(1, codes.T, True)
        self.seen[slot].copy_(self._host_seen, non_blocking=True)
        if self._copied is not None:
            self._copied.record()

    def next_frame(self, active: Tensor, last: Tensor | None = None) -> None:
        """Draw the random numbers of the next frame, for all channels at once.

        Args:
            active: [B] bool, for the first B sequences: which of them move on and remember.
            last: [B, Nq] int64: the codes of the frame before; only looked at with a window.
        """
        b = len(active)
        if self._recent is not None and last is not None:
            self._recent.mark(last, active, self.seen[:b])
        self._uniform[:b].copy_(uniform(self.seed[:b], self.frame[:b], self._channels))
        self._active[:b].copy_(active)
        self.frame[:b].add_(active)

    def state(self) -> list[Tensor]:
        """Return every tensor that outlives a step."""
        recent = [] if self._recent is None else self._recent.state()
        return [self.seen, self.frame, *recent]

    def options(self, channel: int, batch: int) -> ChannelOptions:
        """Return views of the options of `channel` (0 is the text) for the first `batch` sequences."""
        temperature, tail, penalty = self.floats[:, channel, :batch]
        return ChannelOptions(temperature, tail, self.top_k[channel, :batch], penalty)

    def text(self, logits: Tensor) -> Tensor:
        """Sample the text channel of the first B sequences: an index [B] into `logits` [B, V]."""
        return self._sample(0, logits, None, None)

    def code(self, codebook: int, logits: Tensor) -> Tensor:
        """Sample a code [B] of `codebook` from `logits` [B, V + 1] and remember it."""
        return self._sample(1 + codebook, logits, self.seen[: len(logits), codebook], self.pad)

    def codes(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Sample all codebooks at once, from `logits` [B, Nq, V], and remember those that are wanted.

        What was seen in any codebook but the first is penalised in all of them but the first, as the
        reference implementation of MossTTSDelay does it.

        Args:
            logits: Of every codebook.
            wanted: [B, Nq] bool: the codes that count; what stands elsewhere is to be ignored.

        Returns:
            [B, Nq] int64.
        """
        batch, count = logits.shape[:2]
        first, others = self.seen[:batch, :1], self.seen[:batch, 1:].any(dim=1, keepdim=True)
        seen = torch.cat([first, others.expand(-1, count - 1, -1)], dim=1)
        # Of one sequence among several the options would be a view with gaps; a kernel reads on without them.
        temperature, tail, penalty = self.floats[:, 1:, :batch].transpose(1, 2).reshape(3, -1, 1).contiguous()
        top_k = self.top_k[1:, :batch].transpose(0, 1).reshape(-1, 1).contiguous()
        active = self._active[:batch, None] & wanted
        draw = Draw(
            ChannelOptions(temperature, tail, top_k, penalty),
            self._uniform[:batch, 1:].reshape(-1, 1),
            active.flatten(),
            seen.flatten(0, 1),
            self.pad,
        )
        drawn = torch.empty_like(draw.active, dtype=torch.int64)
        self._draw(logits.flatten(0, 1), draw, drawn)
        places = drawn.view(batch, count, 1)
        known = self.seen[:batch]
        known.scatter_(2, places, known.gather(2, places) | active[:, :, None])
        return places[:, :, 0]

    def active(self, batch: int) -> Tensor:
        """Return which of the first `batch` sequences move on, [B] bool."""
        return self._active[:batch]

    def _sample(self, channel: int, logits: Tensor, seen: Tensor | None, pad: int | None) -> Tensor:
        """Return a view of `sampled`."""
        batch = len(logits)
        numbers, out = self._uniform[:batch, channel : channel + 1], self.sampled[:batch, channel]
        draw = Draw(self.options(channel, batch), numbers, self._active[:batch], seen, pad)
        self._draw(logits, draw, out)
        return out


def _penalised(channel: ChannelSampling) -> ChannelSampling:
    """Return what takes the most likely value after the penalty, for one that takes it before."""
    if channel.temperature > 0:
        return channel
    return ChannelSampling(temperature=1.0, top_k=1, repetition_penalty=channel.repetition_penalty)
