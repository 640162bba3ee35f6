"""Several turns in one voice, without asyncio."""

from __future__ import annotations

from moss_stream.conversation import Conversation
from moss_stream.sync.loop_thread import LoopThread
from moss_stream.sync.stream import SyncStream
from moss_stream.text_source import Text
from moss_stream.voices import Reference

__all__ = ["SyncConversation"]


class SyncConversation:
    """Keeps voice and history from turn to turn; see `Conversation`.

    Made by `SyncSynthesizer.conversation`.

    Args:
        loop: Where its streams live.
        conversation: What is wrapped.
    """

    def __init__(self, loop: LoopThread, conversation: Conversation) -> None:
        self._loop = loop
        self._conversation = conversation

    def stream(self, text: Text | None = None) -> SyncStream:
        """Speak the next turn; see `Conversation.stream`."""
        return SyncStream(self._loop, self._conversation.stream(text))

    def user_said(self, text: str, audio: Reference | None = None) -> None:
        """Put what the user said into the context of the turns to come; see `Conversation.user_said`."""
        self._loop.call(self._conversation.user_said(text, audio))
