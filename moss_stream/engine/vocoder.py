"""From codes on the device to int16 PCM on the host, one frame of many streams at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from moss_stream.codec.cat import Cat
from moss_stream.config import SynthesisOptions
from moss_stream.engine.aligner import Aligned, Aligner
from moss_stream.engine.generator import Step
from moss_stream.engine.protocol import Frame, FrameKind

__all__ = ["WHOLE", "Vocoder"]

KIND, WHOLE, OUTSIDE = 3, 4, 8
"""Bits of what is said of a frame: its `FrameKind`, `Frame.is_whole` and `Frame.is_outside`."""


class Vocoder:
    """Runs the codec's decoder and brings all frames of a step to the host in one copy.

    Kind, codes and samples travel together as int16. What a row is, the aligner decides on the device: a
    row that is not audio is decoded like any other, but the codec's state does not move on.

    Attributes:
        codec_state: Of all slots.
        host: [slots, 1 + Nq + S] int16: flags, the codes, the samples of all channels.
        pcm: Where in a row of `host` the samples are.
        gain: [slots] float32: what the samples of each are multiplied with.
    """

    def __init__(
        self, codec: Cat, num_codebooks: int, aligner: Aligner, device: torch.device, batch: int
    ) -> None:
        self._decoder = codec.decoder
        self.aligner = aligner
        self._codes = slice(1, 1 + num_codebooks)
        size = 1 + num_codebooks + codec.frame_samples * codec.channels
        self.pcm = slice(1 + num_codebooks, size)
        self.codec_state = codec.decoder.new_state(batch, max_frames=1)
        self._states = [self.codec_state.part(0, n) for n in range(1, batch + 1)]
        self.gain = torch.ones(batch, device=device)
        self._packed = torch.zeros(batch, size, dtype=torch.int16, device=device)
        self.host = torch.zeros(batch, size, dtype=torch.int16, pin_memory=device.type == "cuda")
        self._arrived = torch.cuda.Event() if device.type == "cuda" else None

    def set_gain(self, slot: int, gain: float) -> None:
        """Say what the samples of a slot are multiplied with."""
        self.gain[slot].fill_(gain)

    def open(self, slot: int, options: SynthesisOptions) -> None:
        """Start a new audio stream."""
        self.reset(slot)
        self.aligner.open(slot, options)

    def begin(self, slot: int, gain: float) -> None:
        """Start a segment of a stream, and say what its samples are multiplied with."""
        self.set_gain(slot, gain)
        self.aligner.begin(slot)

    def reset(self, slot: int) -> None:
        """Forget the audio of a slot; what follows is as loud as the codec makes it."""
        self.set_gain(slot, 1.0)
        self.codec_state.reset(slot)

    def step(self, step: Step, slots: Sequence[int]) -> list[Frame]:
        """Decode a step; return the frames of `slots`."""
        self.compute(step)
        return self.frames(slots)

    @torch.inference_mode()
    def compute(self, step: Step) -> None:
        """Decode a step, and send everything to the host: no decision of the host, no wait for the device."""
        batch = len(step.rows)
        aligned = self.aligner.align(step)
        state, codes = self._states[batch - 1], aligned.codes[:, None, : step.n_vq]
        used = step.used if aligned.used is None else aligned.used
        samples = self._decoder(codes, state, aligned.has_frame & step.active, used)
        packed = self._packed[:batch]
        packed[:, 0] = _flags(aligned)
        packed[:, self._codes] = aligned.codes if aligned.whole is None else aligned.whole
        loud = samples * self.gain[:batch, None]
        packed[:, self.pcm] = (loud.clamp(-1.0, 1.0) * 32767.0).round()
        self.host[:batch].copy_(packed, non_blocking=True)

    def frames(self, slots: Sequence[int]) -> list[Frame]:
        """Return the frames of `slots`; this is the one wait for the device in a step."""
        if self._arrived is not None:
            self._arrived.record()
            self._arrived.synchronize()
        return [self._frame(slot) for slot in slots]

    def _frame(self, slot: int) -> Frame:
        host = self.host[slot].numpy()
        codes, flags = host[self._codes].astype("int64"), int(host[0])
        kind, is_whole, is_outside = FrameKind(flags & KIND), bool(flags & WHOLE), bool(flags & OUTSIDE)
        return Frame(kind, codes, host[self.pcm].tobytes(), is_whole, is_outside)

    def state(self) -> list[Tensor]:
        """Return every tensor that outlives a step, to prove that nothing grows."""
        rings = [ring for ring, _ in self.codec_state.rings]
        return [t for ring in rings for t in (ring.keys, ring.values, ring.offset)] + [
            self._packed,
            self.host,
            *self.aligner.state(),
        ]


def _flags(aligned: Aligned) -> Tensor:
    """Return the kind of each frame, and what else is said of it, in one number, [B]."""
    flags = torch.where(aligned.is_end, FrameKind.END, 2 - aligned.has_frame.short())
    flags = flags + WHOLE * (aligned.has_frame if aligned.is_whole is None else aligned.is_whole)
    return flags if aligned.is_outside is None else flags + OUTSIDE * aligned.is_outside
