from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import av
import numpy as np
import pytest
from fakes import TONE_PEAK, FakeEngine, StereoFake, is_tone, synthesizer_on
from limits import HANG_S
from moss_stream.adapters.telephony import TelephonySink

from moss_stream import EngineOptions, Playback, PlaybackReport, SinkError, play
from tests.sinks.test_sink import speech

Message = dict[str, Any]


class Phone:
    """The other side: plays a frame when it is told to, and sends marks back as Twilio does."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.played = b""
        self.hear: Callable[[Message], None] = lambda message: None
        self._buffer: list[Message] = []
        self.arrived = asyncio.Event()

    async def send(self, message: str | bytes) -> None:
        content: Message = json.loads(message)
        assert content["streamSid"] == "MZ1"
        self.sent.append(content)
        if content["event"] == "clear":
            buffer, self._buffer = self._buffer, []
            for each in buffer:
                if each["event"] == "mark":
                    self.hear({"event": "mark", "streamSid": "MZ1", "mark": each["mark"]})
        else:
            self._buffer.append(content)
        self.arrived.set()

    @property
    def buffered(self) -> int:
        """Frames that it holds."""
        return sum(each["event"] == "media" for each in self._buffer)

    def play(self, num_frames: int) -> None:
        """Play some frames, and the marks behind them."""
        while self._buffer and (num_frames or self._buffer[0]["event"] == "mark"):
            content = self._buffer.pop(0)
            if content["event"] == "mark":
                self.hear({"event": "mark", "streamSid": "MZ1", "mark": content["mark"]})
            else:
                self.played += base64.b64decode(content["media"]["payload"])
                num_frames -= 1

    async def holds(self, num_frames: int) -> None:
        """Wait until it has so many frames."""
        async with asyncio.timeout(HANG_S):
            while self.buffered < num_frames:
                self.arrived.clear()
                await self.arrived.wait()

    async def plays(self, playing: Playback) -> PlaybackReport:
        """Play all that comes."""
        waiting = asyncio.ensure_future(playing.wait())
        async with asyncio.timeout(HANG_S):
            while not waiting.done():
                self.play(1000)
                await asyncio.sleep(0)
        return await waiting


def call(**options: Any) -> tuple[Phone, TelephonySink]:
    """A phone and a sink, on a clock that stands still: what is played is what the phone says."""
    phone = Phone()
    sink = TelephonySink(phone, "MZ1", clock=lambda: 0.0, **options)
    phone.hear = sink.heard
    return phone, sink


def decoded(data: bytes) -> np.ndarray[Any, np.dtype[np.int16]]:
    coder: Any = av.CodecContext.create("pcm_mulaw", "r")
    coder.sample_rate, coder.layout = 8000, "mono"
    return np.concatenate([frame.to_ndarray()[0] for frame in coder.decode(av.Packet(data))])


async def test_speech_arrives_in_frames_of_20_ms() -> None:
    """A tone of a stereo model is the same tone, mono, at 8 kHz; the end is played, too."""
    phone, sink = call(max_queue_s=10.0)
    async with await synthesizer_on(StereoFake(frames_per_segment=10)) as synth:
        playing = play(synth.stream("Hello."), sink)
        report = await phone.plays(playing)
    assert {len(base64.b64decode(m["media"]["payload"])) for m in phone.sent if m["event"] == "media"} == {
        160
    }
    assert is_tone(decoded(phone.played)[: 8000 * 8 // 10], 8000, TONE_PEAK / 2)
    assert report.played_s == sink.position_s == pytest.approx(0.8, abs=0.021)


async def test_marks_say_what_was_played() -> None:
    """One behind each chunk; the position is that of the last one that came back."""
    phone, sink = call(max_queue_s=10.0)
    playing = play(speech(3), sink)
    await phone.holds(11)
    assert sink.position_s == 0.0
    phone.play(5)  # the filter of the resampler holds a little of the first chunk back
    assert 0.04 <= sink.position_s <= 0.1
    assert (await phone.plays(playing)).played_s == pytest.approx(0.24, abs=0.021)


async def test_no_more_is_sent_than_is_wanted_ahead() -> None:
    """What the phone has played makes room."""
    phone, sink = call(max_queue_s=0.3)
    playing = play(speech(100), sink)
    for _ in range(4):
        await phone.holds(12)  # up to a chunk is played and has not come back yet
        assert phone.buffered <= 15 + 4
        phone.play(10)
    await playing.interrupt()


async def test_barge_in_empties_the_phone_and_says_what_was_heard() -> None:
    """Marks that come back because of it count for nothing; nothing of the old answer follows `clear`."""
    phone, sink = call()
    engine = FakeEngine(frames_per_segment=10**6)
    async with await synthesizer_on(engine, EngineOptions(max_lead_ms=2000)) as synth:
        playing = play(synth.stream("A long answer that nobody wants to hear."), sink)
        await phone.holds(40)
        phone.play(20)
        before_s = sink.position_s
        spoken = await playing.interrupt()
        assert spoken is not None and spoken.seconds == pytest.approx(before_s) == pytest.approx(
            0.4, abs=0.08
        )
        assert phone.sent[-1]["event"] == "clear" and phone.buffered == 0
        assert sink.position_s == before_s
        engine.frames_per_segment = 5
        playing = play(synth.stream("Short."), sink)
        assert (await phone.plays(playing)).played_s == pytest.approx(before_s + 0.4, abs=0.03)


async def test_a_pause_sends_nothing_and_loses_nothing() -> None:
    """It goes on where it was."""
    phone, sink = call(max_queue_s=10.0)
    playing = play(speech(5), sink)
    playing.pause()
    await asyncio.sleep(0)
    playing.resume()
    assert (await phone.plays(playing)).played_s == pytest.approx(0.4, abs=0.021)


async def test_a_phone_without_marks_is_taken_to_play_in_real_time() -> None:
    """By the clock."""
    now_s = 0.0
    phone = Phone()
    sink = TelephonySink(phone, "MZ1", clock=lambda: now_s)
    playing = play(speech(3), sink)
    await phone.holds(11)
    now_s = 0.1
    assert sink.position_s == pytest.approx(0.1)
    now_s = 10.0
    assert (await playing).played_s == pytest.approx(0.24, abs=0.021)


@pytest.mark.parametrize("way", ["stop", "broken", "closed"])
async def test_a_call_that_is_over_ends_the_playback(way: str) -> None:
    """With an error that says so, however it became known."""
    phone, sink = call(max_queue_s=0.3)
    playing = play(speech(100), sink)
    await phone.holds(15)
    if way == "stop":
        sink.heard(json.dumps({"event": "stop", "streamSid": "MZ1"}))
    elif way == "closed":
        await sink.aclose()
    else:

        async def broken(message: str | bytes) -> None:
            raise ConnectionResetError("gone")

        phone.send = broken  # type: ignore[method-assign]
        phone.play(15)
    with pytest.raises(SinkError, match="over"):
        await playing


async def test_other_messages_are_passed_over() -> None:
    """Audio of the caller, keys that were pressed, marks of somebody else."""
    _, sink = call()
    for message in (
        {"event": "media", "media": {"payload": ""}},
        {"event": "mark", "mark": {"name": "mine"}},
        {},
    ):
        sink.heard(message)
    assert sink.position_s == 0.0
