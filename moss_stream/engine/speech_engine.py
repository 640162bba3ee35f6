"""A model and its codec behind the engine protocol."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from moss_stream.audio import FRAME_S
from moss_stream.codec.cat import Cat
from moss_stream.config import EngineOptions, SynthesisOptions
from moss_stream.engine.capture import GraphCapture
from moss_stream.engine.defaults import Defaults
from moss_stream.engine.delayed import aligner_for
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.protocol import EngineInfo, Frame
from moss_stream.engine.runner import Compute, EagerCompute, FrameRunner
from moss_stream.engine.vocoder import Vocoder
from moss_stream.errors import AudioError, TextError
from moss_stream.families.family import Prompts
from moss_stream.families.network import Network
from moss_stream.text.message import Codes, Message, Prompt
from moss_stream.voices import Voice

__all__ = ["SpeechEngine"]

WARM_UP_FRAMES = 3
"""The first one compiles and allocates; of the other two the faster one counts."""
MAX_CHARS_OF_ROW = 16
"""No language's text has as many characters to a token, on average; a longer one need not be tokenized to be
refused."""

logger = logging.getLogger("moss_stream.engine")


class SpeechEngine:
    """Implements `moss_stream.engine.protocol.Engine`.

    Args:
        model: Ready to run.
        codec: Ready to run, on the same device.
        prompts: Of the model's checkpoint.
        options: How to run.
        name: Of the model, for people.
        voices: That come with the model, by name.
        defaults: For streams that do not say.
        compute: Chooses what computes frames and prompts; None for PyTorch.
    """

    def __init__(
        self,
        model: Network,
        codec: Cat,
        prompts: Prompts,
        options: EngineOptions,
        name: str = "model",
        voices: Mapping[str, Voice] | None = None,
        defaults: Defaults | None = None,
        compute: Callable[[FrameGenerator, Vocoder], Compute] | None = None,
    ) -> None:
        self._codec = codec
        self._prompts = prompts
        rows = model.rows
        self._num_codes, self._num_values = rows.codebook_size, rows.vocab_size
        self._opening = 0 if rows.feed is None else rows.feed.opening
        self._device = model.device
        dtype = str(model.dtype).removeprefix("torch.")
        self.generator = FrameGenerator(model, options)
        aligner = aligner_for(rows, options.max_streams, self._device)
        self.vocoder = Vocoder(codec, rows.num_codebooks, aligner, self._device, options.max_streams)
        is_cuda = self._device.type == "cuda"
        # Recordings are encoded beside the frames, not between them.
        self._aside = torch.cuda.Stream(self._device) if is_cuda else None
        self._capture = GraphCapture(self._device) if is_cuda else None
        self.compute = (
            EagerCompute(self.generator, self.vocoder)
            if compute is None
            else compute(self.generator, self.vocoder)
        )
        self.runner = FrameRunner(self.generator, self.vocoder, self._capture, self.compute)
        way = "" if isinstance(self.compute, EagerCompute) else ", compiled"
        used = defaults or Defaults()
        self.info = EngineInfo(
            rows.num_codebooks,
            f"{name} on {self._device} in {dtype}{way}",
            voices or {},
            options.max_streams,
            sampling=used.sampling,
            history_s=used.history_s,
            uses=used.uses,
            reads_phonetics=used.reads_phonetics,
            is_incremental=rows.feed is not None,
            is_delayed=rows.delay is not None,
            needs_all_codebooks=rows.needs_all,
            codec_codebooks=codec.quantizer.num_codebooks,
            sample_rate=codec.sample_rate,
            channels=codec.channels,
        )

    def warm_up(self) -> None:
        """Run frames of more and more streams, up to what fits into real time, and note how long they take.

        It also makes what PyTorch makes on first use.
        """
        costs_s: dict[int, float] = {}
        most = self.info.max_streams
        for count in sorted({*(1 << n for n in range(most.bit_length())), most}):
            slots = range(count)
            for slot in slots:
                self.open(slot, SynthesisOptions())
            costs_s[count] = min(self._timed_step(slots) for _ in range(WARM_UP_FRAMES))
            if costs_s[count] > FRAME_S:
                break
        self.info = replace(self.info, frame_costs_s=costs_s)

    @property
    def captured_s(self) -> float:
        """See the protocol."""
        return 0.0 if self._capture is None else self._capture.seconds

    def capture(self, n_vq: int | None) -> None:
        """See the protocol."""
        self.runner.capture(n_vq or self.info.num_codebooks)
        if self._capture is not None:
            seconds, size = self._capture.seconds, self._capture.bytes / 1e6
            count = len(self.runner.shapes)
            logger.info("Capturing %d CUDA graphs took %.1f s; they hold %.0f MB.", count, seconds, size)

    def _timed_step(self, slots: Sequence[int]) -> float:
        began_s = time.perf_counter()
        self.step(slots)
        return time.perf_counter() - began_s

    def open(self, slot: int, options: SynthesisOptions) -> None:
        """See the protocol."""
        self.generator.open(slot, options.replace(sampling=options.sampling or self.info.sampling))
        self.vocoder.open(slot, options)

    def prompt(self, message: Message, prefix: Codes | None) -> Prompt:
        """See the protocol."""
        if self.info.is_incremental:  # keeps room for an answer by itself
            return self._checked(self._prompts.prompt(message, prefix))
        # Speech takes about one frame for each character; half of that cannot be enough.
        speech = message.tokens or len(message.text) // 2
        self._check_fits(speech + len(message.text) // MAX_CHARS_OF_ROW)
        prompt = self._prompts.prompt(message, prefix)
        self._check_fits(speech + len(prompt.rows))
        return self._checked(prompt)

    def begin(self, slot: int, prompt: Prompt, gain: float = 1.0) -> int:
        """See the protocol."""
        self.vocoder.begin(slot, gain)
        self.generator.begin(slot, prompt.rows, prompt.num_fixed)
        return self.generator.capacity - len(prompt.rows) - self._opening

    def give(self, slot: int, text: str, is_last: bool) -> None:
        """See the protocol."""
        self.generator.give(slot, self._prompts.tokens(text), is_last)

    def is_fed(self, slot: int) -> bool:
        """See the protocol."""
        return self.generator.is_fed(slot)

    def num_unread(self, slot: int) -> int:
        """See the protocol."""
        return self.generator.num_unread(slot)

    def _checked(self, prompt: Prompt) -> Prompt:
        """Refuse codes of a voice that has them from elsewhere: what looks them up does not check them."""
        codes = prompt.rows[:, 1:]
        if codes.min() < 0 or codes.max() >= self._num_values:
            raise AudioError(
                f"The voice holds codes that are not from 0 to {self._num_codes - 1}: it is damaged, or was "
                "encoded for another model. Encode its recording again with this synthesizer."
            )
        return prompt

    def _check_fits(self, rows: int) -> None:
        if rows > self.generator.capacity:
            raise TextError(
                f"The text is too long: with prompt and speech it needs about {rows} rows of context, and "
                f"{self.generator.capacity} are there. Shorten it, give it in sentences, or load with a "
                "larger max_context."
            )

    def prefill(self, slot: int) -> bool:
        """See the protocol."""
        return self.runner.prefill(slot)

    def step(self, slots: Sequence[int]) -> list[Frame]:
        """See the protocol."""
        return self.runner.step(slots)

    def encode(self, samples: npt.NDArray[np.float32]) -> Codes:
        """See the protocol."""
        with contextlib.nullcontext() if self._aside is None else torch.cuda.stream(self._aside):
            codes = self._codec.encode(torch.from_numpy(samples).to(self._device))
            return np.asarray(codes.cpu().numpy(), dtype=np.int64)
