"""`WS /v1/speak` for Deepgram's clients; our own protocol has the same address."""

from __future__ import annotations

from fastapi import WebSocket
from pydantic import ValidationError
from starlette.datastructures import Headers, QueryParams
from starlette.routing import Match, WebSocketRoute
from starlette.types import Scope

from moss_stream.quote import MAX_QUOTE, brief, complaint
from moss_stream.server.deepgram.query import SpeakQuery
from moss_stream.server.deepgram.speaker import Speaker
from moss_stream.server.http.problems import Problem, as_problem, response
from moss_stream.server.sockets import Socket
from moss_stream.server.state import State, state_of

__all__ = ["route"]

TOKEN = "token"
"""Of `Authorization`, and of `Sec-WebSocket-Protocol`, where a page puts its key."""
THEIR_QUERY = {"model", "encoding", "sample_rate", "mip_opt_out"}
"""What no client of ours asks in the address."""


class _TheirSockets(WebSocketRoute):
    """Matches Deepgram's clients: by how they give their key, or by what their address asks."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See starlette."""
        match, found = super().matches(scope)
        return (match, found) if match is Match.NONE or _is_theirs(scope) else (Match.NONE, {})


def _is_theirs(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    scheme = headers.get("authorization", "").partition(" ")[0].lower()
    is_token = TOKEN in (scheme, headers.get("sec-websocket-protocol", "").partition(",")[0].strip().lower())
    return is_token or bool(THEIR_QUERY & set(QueryParams(scope["query_string"])))


async def speak(socket: WebSocket) -> None:
    """Serve one connection; what is wrong with its address is told before it opens."""
    state = state_of(socket.app)
    protocol, _, offered = socket.headers.get("sec-websocket-protocol", "").partition(",")
    try:
        key = _key(state, socket, offered.strip())
        query = _query(socket)
        wanted = query.raw()
        await state.voice(await query.voice_in(state))
    except Exception as error:
        problem = as_problem(error)
        refusal = response(problem, socket.scope)
        refusal.headers["dg-error"] = str(problem).encode("ascii", "replace").decode()
        await socket.send_denial_response(refusal)
        return
    await socket.accept(subprotocol=protocol if protocol.lower() == TOKEN else None)
    await Speaker(Socket(socket, state), state, key, await query.voice_in(state), wanted).serve()


def _key(state: State, socket: WebSocket, offered: str) -> str:
    try:
        return state.access.key(socket.headers, socket.query_params)
    except Problem:
        return state.access.key({"authorization": f"Token {offered}"})


def _query(socket: WebSocket) -> SpeakQuery:
    try:
        return SpeakQuery.model_validate(dict(socket.query_params))
    except ValidationError as error:
        first = error.errors()[0]
        where = brief(".".join(str(part) for part in first["loc"]), MAX_QUOTE)
        raise Problem(400, "invalid_query_parameter", f"{where}: {complaint(first)}.", where) from error


route = _TheirSockets("/v1/speak", speak)
"""Is asked before the route of our own protocol."""
