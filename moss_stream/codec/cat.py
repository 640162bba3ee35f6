"""The Cat codec (MOSS-Audio-Tokenizer v1 and v2): causal transformers between patch reshapes.

`CatDecoder` turns codes into samples and `CatEncoder` samples into codes. Both are causal, so they
run in chunks of any size: what they remember is passed in, and the result does not depend on the
chunking. The samples of several channels take turns in one sequence: left, right, left, right.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moss_stream.codec.config import CatConfig, CatStage
from moss_stream.codec.layers import CatTransformer, Patch
from moss_stream.codec.quantizer import ResidualQuantizer
from moss_stream.nn.cache import RingCache

__all__ = ["Cat", "CatDecoder", "CatEncoder", "CatState"]


class CatState:
    """What a run over one audio stream remembers: a ring for each transformer.

    Attributes:
        rings: One for each transformer, in order, and how many of its positions one frame takes.
    """

    def __init__(self, rings: list[tuple[RingCache, int]], max_frames: int) -> None:
        self.rings = rings
        self.max_frames = max_frames

    def advance(self, frames: int, active: Tensor) -> None:
        """Commit a chunk of `frames` for the sequences that are `active` [B] (bool).

        A chunk that is not committed leaves no trace: the next one is computed as if it had not been.
        """
        for ring, rate in self.rings:
            ring.advance(frames * rate, active)

    def part(self, start: int, stop: int) -> CatState:
        """Return the state of the sequences from `start` to `stop`; it shares the memory."""
        return CatState([(ring.part(start, stop), rate) for ring, rate in self.rings], self.max_frames)

    def reset(self, sequence: int) -> None:
        """Start one sequence over."""
        for ring, _ in self.rings:
            ring.reset(sequence)


class _Stages(nn.Module):
    """The transformers and reshapes of one direction."""

    def __init__(self, stages: tuple[CatStage, ...], config: CatConfig, rate_hz: float, down: bool) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        self.frame_rate_hz = config.sampling_rate / config.downsample_rate
        always_projects = config.format.always_projects
        self._rates: list[int] = []
        for stage in stages:
            if stage.module_type == "PatchedPretransform":
                self.stages.append(Patch(stage.patch_size))
                rate_hz = rate_hz / stage.patch_size if down else rate_hz * stage.patch_size
            else:
                window = config.window(stage, rate_hz)
                self.stages.append(CatTransformer(stage, window, always_projects))
                self._rates.append(round(rate_hz / self.frame_rate_hz))

    @property
    def _transformers(self) -> list[CatTransformer]:
        return [stage for stage in self.stages if isinstance(stage, CatTransformer)]

    def prepare(self) -> None:
        """Make the tables; needed once before use."""
        for transformer in self._transformers:
            transformer.prepare()

    def new_state(self, batch: int = 1, max_frames: int = 8) -> CatState:
        """Return the state of `batch` streams that are pushed at most `max_frames` frames at a time."""
        rings = [
            (transformer.new_cache(batch, max_frames * rate), rate)
            for transformer, rate in zip(self._transformers, self._rates, strict=True)
        ]
        return CatState(rings, max_frames)

    def _run(self, x: Tensor, state: CatState, down: bool) -> Tensor:
        rings = iter(state.rings)
        for stage in self.stages:
            if isinstance(stage, Patch):
                x = stage.fold(x) if down else stage.unfold(x)
            else:
                x = stage(x, next(rings)[0])
        return x


class CatDecoder(_Stages):
    """Codes to samples."""

    def __init__(self, config: CatConfig, quantizer: ResidualQuantizer) -> None:
        super().__init__(
            config.decoder_kwargs, config, config.sampling_rate / config.downsample_rate, down=False
        )
        self.quantizer = quantizer

    def forward(
        self, codes: Tensor, state: CatState, active: Tensor | None = None, used: Tensor | None = None
    ) -> Tensor:
        """Decode the next frames of a stream.

        Args:
            codes: [B, T, K], T at most `state.max_frames`: the first K codebooks of T frames.
            state: From `new_state`; moves on by T frames.
            active: [B] bool: the sequences whose state moves on; None for all.
            used: [B, K] bool: the codebooks that count; None for all.

        Returns:
            Samples [B, T * S] of T frames, about -1 to 1; S is 1920, or twice 3840 for stereo.
        """
        samples = self._run(self.quantizer.decode(codes, used), state, down=False)
        state.advance(
            codes.shape[1], active if active is not None else codes.new_ones(codes.shape[0], dtype=torch.bool)
        )
        return samples[:, :, 0]


class CatEncoder(_Stages):
    """Samples to codes."""

    def __init__(self, config: CatConfig, quantizer: ResidualQuantizer) -> None:
        rate_hz = float(config.sampling_rate * config.number_channels)
        super().__init__(config.encoder_kwargs, config, rate_hz, down=True)
        self.quantizer = quantizer

    def hidden(self, samples: Tensor, state: CatState) -> Tensor:
        """Return the vectors before the quantizer, [B, T, input_dim], of T frames: samples [B, T * S]."""
        x = self._run(samples[:, :, None], state, down=True)
        state.advance(x.shape[1], x.new_ones(x.shape[0], dtype=torch.bool))
        return x

    def forward(self, samples: Tensor, state: CatState) -> Tensor:
        """Encode the next whole frames of a stream, at most `state.max_frames`, into codes [B, T, Nq]."""
        return self.quantizer.encode(self.hidden(samples, state), self.quantizer.num_codebooks)


class Cat(nn.Module):
    """Both directions of the codec and the quantizer they share."""

    def __init__(self, config: CatConfig) -> None:
        super().__init__()
        self.config = config
        self.quantizer = ResidualQuantizer(config.quantizer_kwargs)
        self.encoder = CatEncoder(config, self.quantizer)
        self.decoder = CatDecoder(config, self.quantizer)

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.config.sampling_rate

    @property
    def channels(self) -> int:
        """1 is mono, 2 is stereo."""
        return self.config.number_channels

    @property
    def frame_samples(self) -> int:
        """Of each channel."""
        return self.config.downsample_rate

    def prepare(self) -> None:
        """Compute the tables that follow from the weights; needed once before use."""
        self.quantizer.prepare()
        self.encoder.prepare()
        self.decoder.prepare()

    @torch.inference_mode()
    def encode(self, samples: Tensor) -> Tensor:
        """Encode a whole recording into codes [T, Nq]; a last part of a frame is dropped.

        The memory needed does not grow with the length.

        Args:
            samples: [N], which goes to every channel, or [N, channels].
        """
        state = self.encoder.new_state(max_frames=25)
        whole = samples[: len(samples) // self.frame_samples * self.frame_samples]
        turns = whole.view(len(whole), -1).expand(-1, self.channels).flatten()
        chunks = turns[None].split(self.frame_samples * self.channels * state.max_frames, dim=1)
        return torch.cat([self.encoder(chunk, state)[0] for chunk in chunks])
