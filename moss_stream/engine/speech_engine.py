"""A model and its codec behind the engine protocol."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from moss_stream.audio import FRAME_S
from moss_stream.codec.cat import Cat
from moss_stream.codec.load import load_cat
from moss_stream.config import EngineOptions, SamplingOptions, SynthesisOptions
from moss_stream.engine.aligner import Immediate
from moss_stream.engine.capture import GraphCapture
from moss_stream.engine.choose_compute import choose_compute, wants_compiled
from moss_stream.engine.device import choose_device, choose_dtype, choose_threads
from moss_stream.engine.generator import FrameGenerator
from moss_stream.engine.protocol import EngineInfo, Frame
from moss_stream.engine.runner import Compute, EagerCompute, FrameRunner
from moss_stream.engine.vocoder import Vocoder
from moss_stream.errors import AudioError, ConfigError, CorruptCheckpoint, TextError, UnsupportedModel
from moss_stream.families.family import Checkpoint, Prompts, find
from moss_stream.families.network import Network
from moss_stream.hub import read_json
from moss_stream.kernels.choose import choose_ops
from moss_stream.nn.ops import TorchOps, use
from moss_stream.text.message import Codes, Message, Prompt
from moss_stream.voices import Voice, read_voices

__all__ = ["SpeechEngine"]

SAMPLING_FILE = "sampling.json"
WARM_UP_FRAMES = 3
"""The first one compiles and allocates; of the other two the faster one counts."""
MAX_ANSWER_ROWS = 750
"""60 s: answers are seldom longer; one that is goes on in a new context, between two sentences."""
MAX_CHARS_OF_ROW = 16
"""No language's text has as many characters to a token, on average; a longer one need not be tokenized to be
refused."""

logger = logging.getLogger("moss_stream.engine")


@dataclass(frozen=True)
class Defaults:
    """How a model is best used."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    history_s: float = 20.0
    """Audio carried into the next segment; a model that was trained on less is lost with more."""


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
        self.vocoder = Vocoder(
            codec.decoder, rows.num_codebooks, Immediate(rows), self._device, options.max_streams
        )
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
        self.info = EngineInfo(
            rows.num_codebooks,
            f"{name} on {self._device} in {dtype}{way}",
            voices or {},
            options.max_streams,
            sampling=(defaults or Defaults()).sampling,
            history_s=(defaults or Defaults()).history_s,
            is_incremental=rows.feed is not None,
        )

    @classmethod
    def load(cls, model: Path, codec: Path, device: str, dtype: str, options: EngineOptions) -> SpeechEngine:
        """Load both checkpoints from their folders.

        Raises:
            LoadError: A checkpoint cannot be loaded, or the two do not fit together.
            ConfigError: There is no such device or dtype.
        """
        target = choose_device(device)
        size = sum(file.stat().st_size for file in model.glob("*.safetensors"))
        if target.type == "cpu":
            torch.set_num_threads(choose_threads(options.threads, size))
        checkpoint = find(model)
        number_format, is_compiled = _choose(checkpoint, target, dtype, options, size)
        plain = options.replace(pack_weights=False) if is_compiled else options
        network = checkpoint.network(target, number_format, plain)
        capacity = min(options.max_context, network.rows.max_rows)
        cat = load_cat(codec, target, plain)
        use(choose_ops(target, number_format), network)
        use(choose_ops(target, torch.float32), cat)
        _check_fit(checkpoint, cat, model, codec)
        voices = read_voices(model, checkpoint.num_codebooks, checkpoint.codebook_size)
        compute = partial(choose_compute, network, cat, options) if is_compiled else None
        build = partial(
            cls,
            network,
            cat,
            checkpoint.prompts(capacity - answer_rows(capacity)),
            options,
            model.name,
            voices,
            read_defaults(model, checkpoint.sampling),
            compute,
        )
        engine = _warmed_up(build, network, cat)
        logger.info("Loaded %s with the codec %s.", engine.info.description, codec.name)
        return engine

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
        self.vocoder.reset(slot)

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
        self.vocoder.set_gain(slot, gain)
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
            return np.asarray(codes[:, : self.info.num_codebooks].cpu().numpy(), dtype=np.int64)


def _choose(
    checkpoint: Checkpoint, device: torch.device, dtype: str, options: EngineOptions, size: int
) -> tuple[torch.dtype, bool]:
    """Return the number format of the speech model, and whether its frames are compiled (in float32)."""
    number_format = choose_dtype(dtype, device)
    if not checkpoint.has_loops:
        if options.compiled:
            raise ConfigError(
                "compiled=True: there are no loops for this model. Leave it out, and PyTorch computes."
            )
        return number_format, False
    if dtype != "auto" and number_format is not torch.float32:
        if options.compiled:
            raise ConfigError(
                f"compiled=True computes in float32, not in dtype={dtype!r}. Leave one of them out."
            )
        return number_format, False
    is_compiled = wants_compiled(device, number_format, options, checkpoint.backbone, size)
    return (torch.float32 if is_compiled else number_format), is_compiled


def _warmed_up(build: Callable[[], SpeechEngine], network: Network, codec: Cat) -> SpeechEngine:
    """Build an engine and warm it up; without our kernels, if they fail with the model."""
    try:
        engine = build()
        engine.warm_up()
        return engine
    except Exception as error:  # whatever Triton may say of a size that was not tried
        if type(network.ops) is TorchOps:
            raise
        logger.warning("The kernels fail with this model (%s): PyTorch computes, which is slower.", error)
    # Outside the handler, where the first engine's memory is free again.
    use(TorchOps(), network, codec)
    engine = build()
    engine.warm_up()
    return engine


def answer_rows(capacity: int) -> int:
    """Return the rows of a context that a prompt with a dialogue leaves to the answer: at most a minute."""
    return min(capacity // 4, MAX_ANSWER_ROWS)


def read_defaults(model: Path, sampling: SamplingOptions) -> Defaults:
    """Return how a model wants to be used: its sampling.json, or its family's `sampling`.

    Raises:
        CorruptCheckpoint: The file holds no such options.
    """
    if not (model / SAMPLING_FILE).is_file():
        return Defaults(sampling)
    raw = read_json(model, SAMPLING_FILE)
    history_s = raw.pop("history_s", Defaults.history_s)
    try:
        SynthesisOptions(history_s=history_s)
        return Defaults(SamplingOptions(**raw), history_s)
    except ConfigError as error:
        raise CorruptCheckpoint(f"{model / SAMPLING_FILE} is damaged: {error} Download it again.") from error


def _check_fit(model: Checkpoint, codec: Cat, model_path: Path, codec_path: Path) -> None:
    quantizer = codec.config.quantizer_kwargs
    if quantizer.num_quantizers < model.num_codebooks or quantizer.codebook_size != model.codebook_size:
        raise UnsupportedModel(
            f"The codec {codec_path} does not belong to the model {model_path}: it has "
            f"{quantizer.num_quantizers} codebooks of {quantizer.codebook_size}, the model speaks "
            f"{model.num_codebooks} of {model.codebook_size}. Give the codec that the model was trained with."
        )
