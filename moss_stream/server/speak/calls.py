"""`POST /webrtc/offer`: calls are begun here, and end by themselves."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from moss_stream.server.http.problems import Problem
from moss_stream.server.speak.call import Call
from moss_stream.server.state import State, state_of

__all__ = ["CallAnswer", "Calls", "Offer", "router"]

router = APIRouter()


class Offer(BaseModel):
    """What a peer offers, with all its candidates: they are not sent one by one."""

    sdp: Annotated[str, Field(max_length=64_000)]
    type: Literal["offer"] = "offer"


class CallAnswer(BaseModel):
    """What the server answers, with all its candidates."""

    sdp: str
    type: Literal["answer"] = "answer"


class Calls:
    """The calls that are not over.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: set[Call] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, state: State, key: str, offer: str) -> str:
        """Take a call; return the answer to its offer.

        Raises:
            Problem: There are too many, or the offer cannot be taken.
        """
        if len(self._calls) >= self._most:
            raise Problem(503, "overloaded", f"{self._most} calls are held already. Try again later.")
        call = Call(state, key)
        self._calls.add(call)
        try:
            answer = await call.answer(offer)
        except BaseException:
            await self._end(call)
            raise
        task = asyncio.create_task(self._hold(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return answer

    async def aclose(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hold(self, call: Call) -> None:
        try:
            await call.serve()
        finally:
            await self._end(call)

    async def _end(self, call: Call) -> None:
        self._calls.discard(call)
        await call.aclose()


@router.post("/webrtc/offer")
async def offer(request: Request, body: Offer) -> CallAnswer:
    """Begin a call: speech over its audio track, the messages of `WS /v1/speak` over its data channel."""
    state = state_of(request.app)
    key = state.access.key(request.headers)
    calls: Calls = request.app.state.calls
    return CallAnswer(sdp=await calls.begin(state, key, body.sdp))
