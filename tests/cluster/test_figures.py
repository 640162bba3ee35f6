from __future__ import annotations

import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from moss_stream.cluster.figures import AllFigures, merged

TEXT = """# HELP moss_frames_total Frames.
# TYPE moss_frames_total counter
moss_frames_total {}
# HELP moss_step_seconds Steps.
# TYPE moss_step_seconds histogram
moss_step_seconds_bucket{{le="+Inf"}} {}
moss_step_seconds_count {}
moss_step_seconds_sum 0.5
"""


def test_each_metric_once_with_all_replicas() -> None:
    """Prometheus refuses a text in which a metric is described twice."""
    text = merged({"b": TEXT.format(7, 2, 2), "a": TEXT.format(5, 1, 1)}).decode()
    assert text.count("# TYPE moss_frames_total counter") == 1
    assert 'moss_frames_total{replica="a"} 5.0' in text and 'moss_frames_total{replica="b"} 7.0' in text
    assert 'moss_step_seconds_bucket{le="+Inf",replica="b"} 2.0' in text


async def test_only_who_may_see_one_sees_all() -> None:
    """What the replica refuses stays refused, and other paths are its own."""
    status = 401

    async def own(request: object) -> PlainTextResponse:
        return PlainTextResponse("own", status)

    async def gather() -> dict[str, str]:
        return {"a": TEXT.format(5, 1, 1)}

    app = AllFigures(Starlette(routes=[Route("/metrics", own), Route("/other", own)]), gather)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/metrics")).text == "own"
        status = 200
        assert 'replica="a"' in (await client.get("/metrics")).text
        assert (await client.get("/other")).text == "own"
