"""The synthesizer without asyncio, for scripts, notebooks and threads: `with load() as synth`."""

from __future__ import annotations

from moss_stream.sync.conversation import SyncConversation
from moss_stream.sync.stream import SyncStream
from moss_stream.sync.synthesizer import SyncSynthesizer, load

__all__ = ["SyncConversation", "SyncStream", "SyncSynthesizer", "load"]
