"""A frame on the CPU in three compiled calls, on the memory of the generator and the vocoder."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from moss_stream.codec.cat import CatDecoder
from moss_stream.cpu.build import (
    Packer,
    cache_arrays,
    depth_arrays,
    depth_scratch,
    sampler_arrays,
    stack_arrays,
)
from moss_stream.cpu.build_codec import codec_scratch, codec_stages, quantizer_arrays
from moss_stream.cpu.codec import decode, to_pcm
from moss_stream.cpu.qwen import Scratch, final_norm
from moss_stream.cpu.rows import next_rows, run_rows
from moss_stream.engine.chunk import ChunkShape
from moss_stream.engine.generator import FrameGenerator, FrameShape
from moss_stream.engine.protocol import FrameKind
from moss_stream.engine.vocoder import WHOLE, Vocoder
from moss_stream.errors import ConfigError
from moss_stream.families.local.network import MossTTSLocal
from moss_stream.nn.cache import KVCache

__all__ = ["CompiledCompute"]

Ints = npt.NDArray[np.int64]


class CompiledCompute:
    """Does the work of `EagerCompute` in float32, with the same results but for rounding.

    It computes the streams that are stepped and no others, each independently of the rest, so that a stream's
    bits do not depend on its company. Weights that float16 or bfloat16 holds exactly are kept in that format,
    which is half as much to read; arithmetic is float32.

    Attributes:
        samples: [slots, S]: of the last frame, in the order in which it was computed, as loud as
            the codec makes it.

    Args:
        model: In float32 on the CPU; its matrices are copied.
        decoder: Of the codec, likewise.
        generator: Of the model; its state is shared.
        vocoder: Of the codec, likewise.

    Raises:
        ConfigError: The codec is built in a way that this does not know.
    """

    def __init__(
        self, model: MossTTSLocal, decoder: CatDecoder, generator: FrameGenerator, vocoder: Vocoder
    ) -> None:
        packer, codec_packer = Packer([model.backbone, model.depth]), Packer([decoder])
        backbone, depth = model.backbone, model.depth
        self._embeddings, self._depth = depth_arrays(model, packer)
        self._backbone = stack_arrays(list(backbone.layers), backbone.norm, packer)
        self._depth_stack = stack_arrays(list(depth.layers), depth.norm, packer)
        self._cache = cache_arrays(generator.cache, *backbone.rotary_tables)
        depth_cache = cast(KVCache, generator.scratch)
        self._depth_cache = cache_arrays(depth_cache)
        batch = len(generator.rows) - 1
        most = max(batch, generator.chunk.most)
        self._scratch = Scratch.of(self._backbone, most, generator.cache.capacity)
        self._depth_scratch = Scratch.of(self._depth_stack, batch, depth_cache.capacity)
        self._small = depth_scratch(self._depth_stack, self._depth, batch)
        self._sampler = sampler_arrays(generator.sampler, self._small.logits.shape[1])
        self._x = np.zeros((most, self._scratch.normed.shape[1]), np.float32)
        stages = codec_stages(decoder, vocoder.codec_state, codec_packer)
        if stages is None:
            raise ConfigError("The codec's decoder is not a chain of transformers with a patch after each.")
        self._stages = stages
        self._quantizer = quantizer_arrays(decoder, codec_packer)
        self._codec_scratch = codec_scratch(stages, self._quantizer, batch)
        self._chunk, self._end_id = generator.chunk, model.rows.end_id
        self._rows, self._hidden = generator.rows.numpy(), generator.hidden.numpy()
        self._plan = generator.plan.numpy()
        self._packed = vocoder.host.numpy()
        self._pcm, self._gain = vocoder.pcm, vocoder.gain.numpy()
        self.samples = np.zeros((batch, self._pcm.stop - self._pcm.start), np.float32)

    def chunk(self, shape: ChunkShape) -> None:
        """Run the chunk of a prompt that is laid out."""
        slot, target, last = (int(value) for value in self._chunk.target.numpy()[:, 0])
        count = last + 1
        laid_out = self._chunk.host.numpy()[:count]
        positions, rows = np.ascontiguousarray(laid_out[:, 0]), np.ascontiguousarray(laid_out[:, 1:])
        self._run_rows(rows, _filled(count, shape.n_vq), _filled(count, slot), positions)
        final_norm(self._backbone, self._x[last], self._hidden[target])
        self._rows[target] = 0

    def frame(self, shape: FrameShape) -> None:
        """Make the next frame of the streams that are planned."""
        active, has_row, length, n_vq = self._plan
        slots = np.flatnonzero(active)
        if not len(slots):
            return
        slots = slots[np.argsort(-n_vq[slots], kind="stable")]
        old = slots[has_row[slots] > 0]
        if len(old):
            self._run_rows(self._rows[old], n_vq[old], old, length[old])
            for index, slot in enumerate(old):
                final_norm(self._backbone, self._x[index], self._hidden[slot])
        self._next_rows(slots, n_vq[slots])
        self.speak(slots, n_vq[slots])

    def _run_rows(self, rows: Ints, n_vq: Ints, slots: Ints, positions: Ints) -> None:
        run_rows(
            self._embeddings,
            self._backbone,
            self._cache,
            self._scratch,
            self._x,
            rows,
            n_vq,
            slots,
            positions,
            len(rows),
        )

    def _next_rows(self, slots: Ints, n_vq: Ints) -> None:
        next_rows(
            self._embeddings,
            self._depth,
            self._depth_stack,
            self._depth_cache,
            self._depth_scratch,
            self._small,
            self._sampler,
            self._hidden,
            slots,
            n_vq,
            self._rows,
        )

    def speak(self, slots: Ints, n_vq: Ints) -> None:
        """Decode the last rows of `slots` [B], which use `n_vq` [B] codebooks; see `samples`."""
        rows = self._rows[slots]
        goes_on = rows[:, 0] != self._end_id
        codes = rows[:, 1:]
        decode(self._quantizer, self._stages, self._codec_scratch, codes, n_vq, slots, self.samples)
        for stage in self._stages:
            stage.offset[slots[goes_on]] += stage.rate
        self._packed[slots, 0] = np.where(goes_on, FrameKind.AUDIO | WHOLE, FrameKind.END)
        self._packed[slots, 1 : self._pcm.start] = codes
        for index, slot in enumerate(slots):
            to_pcm(self.samples[index], self._gain[slot], self._packed[slot, self._pcm])


def _filled(count: int, value: int) -> Ints:
    return np.full(count, value, np.int64)
