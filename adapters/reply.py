"""A text on its way to the engine, and its speech on the way to a framework, with its words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

from moss_stream.adapters.playout import PlayoutPart
from moss_stream.adapters.spoken_words import SpokenWord, SpokenWords

from moss_stream import StreamingSynthesizer, SynthesisStream
from moss_stream.formats.pcm import PcmConverter

__all__ = ["Reply", "SpokenPart"]


@dataclass(frozen=True, slots=True)
class SpokenPart:
    """A piece of speech."""

    pcm: bytes
    """int16, mono."""
    words: list[SpokenWord]
    """Those that have been spoken when it has been played."""


class Reply:
    """One utterance: text is written into it as it comes, parts come out.

    Args:
        synth: Who speaks.
        rate: Wanted of the audio, in Hz.
        played: Plays it; the engine works ahead of that. None: the engine works ahead of what is taken.
    """

    def __init__(self, synth: StreamingSynthesizer, rate: int, played: PlayoutPart | None = None) -> None:
        self.played = played
        self._converter = PcmConverter(rate, 1, synth.info.sample_rate, synth.info.channels)
        self._words = SpokenWords()
        self._text: asyncio.Queue[str | None] = asyncio.Queue()
        self._stream: SynthesisStream | None = None

    def write(self, text: str) -> None:
        """Give the next piece of text; never waits."""
        self._words.write(text)
        self._text.put_nowait(text)

    def end(self) -> None:
        """Say that no more text comes. May be called again."""
        self._text.put_nowait(None)

    async def speak(
        self, make: Callable[[AsyncIterator[str]], SynthesisStream]
    ) -> AsyncGenerator[SpokenPart, None]:
        """Yield the speech. Closing the generator stops the engine within a frame; use `aclosing`.

        Args:
            make: Makes the stream of a text.

        Raises:
            MossError: What the stream raises.
        """
        try:
            stream = self._stream = make(self._deltas())
            if self.played is not None:
                played = self.played
                stream.attach(lambda: played.position_s)
            async for chunk in stream:
                pcm = self._converter.convert(chunk.pcm, is_last=chunk.is_final).tobytes()
                if self.played is not None:
                    self.played.sent(chunk.duration_s)
                yield SpokenPart(pcm, self._words.spoken(chunk))
        except (asyncio.CancelledError, GeneratorExit):
            await self.cancel()
            raise
        finally:
            if self.played is not None:
                self.played.end()

    async def cancel(self) -> None:
        """Let the synthesizer forget what was not heard, also after the end of the text."""
        if self._stream is not None:
            await self._stream.cancel()

    async def _deltas(self) -> AsyncIterator[str]:
        while (text := await self._text.get()) is not None:
            yield text
