"""A Pipecat bot that speaks in its own process: its words are printed, its speech goes into answer.wav.

    OPENAI_API_KEY=... python examples/pipecat_bot.py "Why is the sky blue?"

OPENAI_BASE_URL and OPENAI_MODEL name another language model. Needs `pip install moss-stream[pipecat] openai`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import wave

from moss_stream.adapters.pipecat import MossTTSService
from pipecat.frames.frames import EndFrame, Frame, LLMRunFrame, TTSAudioRawFrame, TTSTextFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.workers.runner import WorkerRunner

from moss_stream import StreamingSynthesizer

MANNER = "You are spoken to. Answer in two or three plain sentences."
MODEL = os.environ.get("OPENAI_MODEL", "gpt-4o-mini")


class Recorder(FrameProcessor):
    """Writes speech into a file, and its words onto the screen; in a call, a transport's output is here."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Note a frame, and hand it on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            recording.writeframes(frame.audio)
        elif isinstance(frame, TTSTextFrame):
            print(frame.text, end=" ", flush=True)
        await self.push_frame(frame, direction)


async def main(question: str) -> None:
    """Ask, and speak the answer while it is being written."""
    async with await StreamingSynthesizer.load() as synth:
        context = LLMContext([{"role": "system", "content": MANNER}, {"role": "user", "content": question}])
        pair = LLMContextAggregatorPair(context)
        llm = OpenAILLMService(settings=OpenAILLMService.Settings(model=MODEL))
        tts = MossTTSService(synth, settings=MossTTSService.Settings(voice="slt"))
        worker = PipelineWorker(Pipeline([pair.user(), llm, tts, Recorder(), pair.assistant()]))
        await worker.queue_frames([LLMRunFrame(), EndFrame()])
        runner = WorkerRunner()
        await runner.add_workers(worker)
        await runner.run()


with wave.open("answer.wav", "wb") as recording:
    recording.setparams((1, 2, 24_000, 0, "NONE", ""))  # the pipeline's rate, unless it is given another one
    asyncio.run(main(sys.argv[1]))
