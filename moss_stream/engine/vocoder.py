"""From codes on the device to int16 PCM on the host, one frame at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from moss_stream.audio import FRAME_SAMPLES
from moss_stream.engine.protocol import Frame
from moss_stream.models.cat import CatDecoder

__all__ = ["Vocoder"]


class Vocoder:
    """Runs the codec's decoder and brings a frame to the host in one copy.

    Stop flag, codes and samples travel together as int16. Whether a row is the end is decided on
    the device: an end row is decoded like any other, but the codec's state does not move on.
    """

    def __init__(self, decoder: CatDecoder, num_codebooks: int, end_id: int, device: torch.device) -> None:
        self._decoder = decoder
        self._end_id = end_id
        self._codes = slice(1, 1 + num_codebooks)
        self._pcm = slice(1 + num_codebooks, 1 + num_codebooks + FRAME_SAMPLES)
        self._state = decoder.new_state(batch=1, max_frames=1)
        size = 1 + num_codebooks + FRAME_SAMPLES
        self._packed = torch.zeros(1, size, dtype=torch.int16, device=device)
        self._host = torch.zeros(1, size, dtype=torch.int16, pin_memory=device.type == "cuda")

    def reset(self) -> None:
        """Start a new audio stream."""
        self._state.reset()

    @torch.inference_mode()
    def step(self, row: Tensor, n_vq: int) -> Frame:
        """Decode the first `n_vq` codebooks of `row` [1, 1 + Nq]."""
        active = row[:, 0] != self._end_id
        samples = self._decoder(row[:, None, 1 : 1 + n_vq], self._state, active)
        self._packed[:, 0] = active
        self._packed[:, self._codes] = row[:, 1:]
        self._packed[:, self._pcm] = (samples.clamp(-1.0, 1.0) * 32767.0).round()
        self._host.copy_(self._packed)  # the one wait for the device in a frame
        host = self._host[0].numpy()
        return Frame(not host[0], host[self._codes].astype("int64"), host[self._pcm].tobytes())

    def state(self) -> list[Tensor]:
        """Return every tensor that outlives a step, to prove that nothing grows."""
        rings = [ring for ring, _ in self._state.rings]
        return [t for ring in rings for t in (ring.keys, ring.values, ring.offset)] + [
            self._packed,
            self._host,
        ]
