"""Draws of one value, in the order and with the random numbers of `moss_stream.nn.sampling`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from moss_stream.cpu.elementwise import copy, exp
from moss_stream.cpu.jit import inner

__all__ = ["SamplerState", "draw", "uniform"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_MASK = np.uint64(0xFFFFFFFF)
_NEVER = np.float32(-np.inf)


class SamplerState(NamedTuple):
    """The arrays of a `moss_stream.nn.sampling.Sampler`."""

    floats: Floats
    """[3, channels, batch, 1]: temperature, tail (1 - top_p), penalty."""
    top_k: Ints
    """[channels, batch, 1]."""
    seed: Ints
    """[batch]."""
    frame: Ints
    """[batch]."""
    seen: npt.NDArray[np.bool_]
    """[batch, codebooks, values]."""
    values: Floats
    """[values]: written over, like `places`."""
    places: Ints
    pad: int
    """The code that is never drawn."""


@inner
def _mix(x):
    x = x ^ (x >> np.uint64(16))
    x = (x * np.uint64(0x85EBCA6B)) & _MASK
    x = x ^ (x >> np.uint64(13))
    x = (x * np.uint64(0xC2B2AE35)) & _MASK
    return x ^ (x >> np.uint64(16))


@inner
def uniform(seed, frame, channel):
    """Return a random number in [0, 1) that depends on nothing but the arguments."""
    wide = np.uint64(seed)
    high, low = (wide >> np.uint64(32)) & _MASK, wide & _MASK
    key = _mix(_mix(low) ^ ((high * np.uint64(0x9E3779B1)) & _MASK))
    key = _mix((key + np.uint64(frame) * np.uint64(0x85EBCA77)) & _MASK)
    mixed = _mix((key + np.uint64(channel) * np.uint64(0xC2B2AE3D)) & _MASK)
    return np.float32(mixed >> np.uint64(9)) * np.float32(1.0 / (1 << 23))


@inner
def _argmax(logits, count):
    best = 0
    for j in range(1, count):
        if logits[j] > logits[best]:
            best = j
    return best


@inner
def _kth_smallest(values, count, k):
    """Return what stands at place `k` of the sorted `values`; changes their order (Hoare's FIND)."""
    first, last = 0, count - 1
    while first < last:
        pivot = values[(first + last) // 2]
        i, j = first, last
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            last = j
        elif k >= i:
            first = i
        else:
            return values[k]
    return values[k]


@inner
def _sort(scores, places, count):
    """Sort `places` by score, then by place (Shell's sort: short, and fast enough for a few hundred)."""
    gap = count // 2
    while gap:
        for i in range(gap, count):
            place = places[i]
            j = i
            while j >= gap:
                other = places[j - gap]
                if scores[other] < scores[place] or (scores[other] == scores[place] and other < place):
                    break
                places[j] = other
                j -= gap
            places[j] = place
        gap //= 2


@inner
def _cut(scores, count, top_k, tail, values, kept):
    """Set to -inf what top-k and top-p leave out; ties with the k-th value stay."""
    least = _NEVER
    if 0 < top_k < count:
        copy(scores, values, count)
        least = _kth_smallest(values, count, count - top_k)
    num = 0
    for j in range(count):
        if scores[j] < least:
            scores[j] = _NEVER
        elif scores[j] > _NEVER:
            kept[num] = j
            num += 1
    if tail <= 0 or num == 0:
        return
    _sort(scores, kept, num)
    largest = scores[kept[num - 1]]
    total = np.float64(0.0)
    for i in range(num):
        total += exp(scores[kept[i]] - largest)
    below = np.float64(0.0)
    for i in range(num - 1):  # the most likely value always stays
        below += exp(scores[kept[i]] - largest)
        if below > tail * total:
            return
        scores[kept[i]] = _NEVER


@inner
def draw(state, channel, slot, logits, count):
    """Draw a value from `count` logits, which are overwritten, and remember a code; channel 0 is the text."""
    if channel and state.pad < count:
        logits[state.pad] = _NEVER
    temperature = state.floats[0, channel, slot, 0]
    if temperature > 0:
        value = _draw(state, channel, slot, logits, count, temperature)
    else:
        value = _argmax(logits, count)
    if channel:
        state.seen[slot, channel - 1, value] = True
    return value


@inner
def _draw(state, channel, slot, logits, count, temperature):
    penalty = state.floats[2, channel, slot, 0]
    if channel and penalty != 1:
        for j in range(count):
            if state.seen[slot, channel - 1, j]:
                logits[j] = logits[j] * penalty if logits[j] < 0 else logits[j] / penalty
    for j in range(count):
        logits[j] /= temperature
    tail = state.floats[1, channel, slot, 0]
    _cut(logits, count, state.top_k[channel, slot, 0], tail, state.values, state.places)
    best = _argmax(logits, count)
    largest = logits[best]
    total = np.float64(0.0)
    for j in range(count):
        if logits[j] > _NEVER:
            total += exp(logits[j] - largest)
    wanted = uniform(state.seed[slot], state.frame[slot], channel) * total
    reached = np.float64(0.0)
    for j in range(count):
        if logits[j] > _NEVER:
            reached += exp(logits[j] - largest)
            if reached > wanted:
                return j
    return best
