"""MossTTSLocal v1.5 behind the public interface: the golden model and the golden codec, 48 kHz stereo."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import shutil
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from golden_data import GOLDEN, codec, expected
from local_v15_data import FOLDER, begin, case, engine
from web import running
from websockets.asyncio.client import connect

from benchmarks.far_ends import Caller
from moss_stream import (
    Audio,
    AudioChunk,
    AudioError,
    ConfigError,
    EngineOptions,
    StreamingSynthesizer,
    SynthesisOptions,
    UnsupportedModel,
    Voice,
    WavSink,
    play,
)
from moss_stream.engine.protocol import Frame, FrameKind
from moss_stream.engine.speech_engine import SpeechEngine
from moss_stream.errors import SinkError
from moss_stream.sinks.rates import RateConverter
from moss_stream.sound_file import read_recording
from moss_stream.text.message import Codes
from moss_stream.wire import unpack

TEXT = "We stand on the threshold of the AI era. May I ask which city you are from?"
FRAME_BYTES = 3840 * 2 * 2


async def load(model: Path = FOLDER, through: str = "cat_v2", **options: object) -> StreamingSynthesizer:
    return await StreamingSynthesizer.load(
        model,
        codec=GOLDEN / through,
        device="cpu",
        options=EngineOptions(**{"max_context": 1024, "max_streams": 4, **options}),  # type: ignore[arg-type]
    )


@pytest.fixture
async def synth() -> AsyncIterator[StreamingSynthesizer]:
    async with await load() as made:
        yield made


def offline(spoken: Codes) -> npt.NDArray[np.float32]:
    """What the codec makes of all codes at once, [N, 2]."""
    decoder = codec("cat_v2").decoder
    with torch.inference_mode():
        whole = decoder(torch.from_numpy(spoken)[None], decoder.new_state(1, max_frames=len(spoken)))[0]
    return np.asarray(whole.clamp(-1, 1).numpy().reshape(-1, 2))


def test_golden_codes_streamed_are_the_offline_sound() -> None:
    """A golden run frame by frame, past every window of the codec: codes, and both channels."""
    made, which = engine(max_context=512, max_streams=2), case("continuation")
    begin(made, 1, which)
    frames = [made.step([1])[0] for _ in range(32)]
    wanted = expected("local_v15")["continuation.greedy"][:, 1:].numpy()
    np.testing.assert_array_equal(np.stack([frame.codes for frame in frames]), wanted)
    assert all(len(frame.pcm) == FRAME_BYTES for frame in frames)
    pcm = np.frombuffer(b"".join(frame.pcm for frame in frames), dtype=np.int16).reshape(-1, 2)
    np.testing.assert_allclose(pcm / 32767, offline(wanted), atol=1e-4)
    assert np.abs(pcm[:, 0].astype(int) - pcm[:, 1]).max() > 100, "left is not right"


async def test_what_is_said_is_the_offline_sound(
    synth: StreamingSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text deltas in, several segments, one codec state: all of it is what the codec makes of the codes."""
    frames: list[Frame] = []
    step = SpeechEngine.step

    def watched(made: SpeechEngine, slots: list[int]) -> list[Frame]:
        found = step(made, slots)
        frames.extend(found)
        return found

    monkeypatch.setattr(SpeechEngine, "step", watched)
    pcm = b""
    async with synth.stream(iter(TEXT), options=SynthesisOptions(seed=3)) as stream:
        async for chunk in stream:
            assert (chunk.sample_rate, chunk.channels) == (48_000, 2)
            pcm += chunk.pcm
    audible = [frame for frame in frames if frame.kind is FrameKind.AUDIO]
    assert sum(frame.kind is FrameKind.END for frame in frames) >= 2, "several segments"
    samples = np.frombuffer(pcm, "<i2").reshape(-1, 2)
    assert len(samples) == 3840 * len(audible) > 3840 * 5
    wanted = offline(np.stack([frame.codes for frame in audible]))
    np.testing.assert_allclose(samples / 32767, wanted, atol=1e-4)


async def test_streams_in_company_are_what_they_are_alone(synth: StreamingSynthesizer) -> None:
    """Four at once, with seeds and a voice."""
    voice = Voice(expected("local_v15")["codes.ref7"].numpy(), "somebody", sample_rate=48_000)

    def said(seed: int) -> Coroutine[None, None, Audio]:
        return synth.say(TEXT, voice=voice if seed % 2 else None, options=SynthesisOptions(seed=seed))

    alone = [await said(seed) for seed in range(4)]
    together = await asyncio.gather(*map(said, range(4)))
    for one, other in zip(alone, together, strict=True):
        assert one.samples.shape == other.samples.shape and one.samples.shape[1] == 2
        assert np.abs(one.samples.astype(int) - other.samples).max() <= 1


async def test_what_it_says_of_itself(synth: StreamingSynthesizer) -> None:
    """Rate, channels and codebooks are the checkpoints'."""
    info = synth.info
    assert (info.sample_rate, info.channels, info.num_codebooks, info.codec_codebooks) == (48_000, 2, 6, 8)
    assert info.sampling.audio.temperature == 1.7 and not info.is_incremental  # type: ignore[union-attr]


async def test_all_codebooks_or_none(synth: StreamingSynthesizer) -> None:
    """Fewer are refused with a sentence, in a stream and in a warm-up; all of them may be named."""
    with pytest.raises(ConfigError, match="n_vq=5: this model was trained with all of its 6 codebooks"):
        synth.stream("Hi", options=SynthesisOptions(n_vq=5))
    with pytest.raises(ConfigError, match="n_vq=1"):
        await synth.warmup(1)
    await synth.warmup(6)
    synth.stream("Hi", options=SynthesisOptions(n_vq=6, language="English", instruction="softly", tokens=9))


async def test_voices_are_encoded_in_stereo(synth: StreamingSynthesizer) -> None:
    """From mono and stereo recordings of any rate; one of another codec is refused."""
    t = np.arange(24_000) / 24_000
    mono = (8000 * np.sin(2 * np.pi * 220 * t)).astype(np.int16)
    both = np.stack([mono, mono // 2], axis=1)
    first, second = [await synth.encode_voice(Audio(each, 24_000)) for each in (mono, both)]
    assert first.codes.shape == second.codes.shape == (12, 8) and first.key != second.key
    assert first.sample_rate == 48_000
    assert len((await synth.say("Hello there.", voice=second)).samples)
    with pytest.raises(AudioError, match="24000 Hz, this model's has 48000 Hz"):
        synth.stream("Hi", voice=Voice(first.codes, "other", sample_rate=24_000))


@pytest.mark.parametrize(
    ("model", "through", "found", "wanted"),
    [
        ("local_v15", "cat", "v1 (24 kHz mono)", "MOSS-Audio-Tokenizer-v2 as codec"),
        ("local", "cat_v2", "v2 (48 kHz stereo)", "OpenMOSS-Team/MOSS-Audio-Tokenizer as codec"),
        ("delay", "cat_v2", "v2 (48 kHz stereo)", "OpenMOSS-Team/MOSS-Audio-Tokenizer as codec"),
    ],
)
async def test_the_wrong_codec_is_named(model: str, through: str, found: str, wanted: str) -> None:
    """What it is, what the model speaks through, and what to give."""
    with pytest.raises(UnsupportedModel) as caught:
        await load(GOLDEN / model, through)
    assert f"it is MOSS-Audio-Tokenizer {found}, and the model speaks through" in str(caught.value)
    assert wanted in str(caught.value)


async def test_a_checkpoint_names_its_codec(tmp_path: Path) -> None:
    """Without one given, the folder beside it that its config.json names is found."""
    shutil.copytree(FOLDER, tmp_path / "model")
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    config["audio_tokenizer_name_or_path"] = str(GOLDEN / "cat_v2")
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    async with await StreamingSynthesizer.load(tmp_path / "model", device="cpu") as made:
        assert made.info.channels == 2


async def test_compiled_loops_are_for_other_models(caplog: pytest.LogCaptureFixture) -> None:
    """Asked for, they are refused with a sentence; otherwise PyTorch computes, without a warning."""
    with pytest.raises(ConfigError, match="no loops"):
        await load(compiled=True)
    with caplog.at_level(logging.WARNING):
        async with await load() as made:
            assert "compiled" not in made.info.description
    assert not caplog.records


async def test_into_files(synth: StreamingSynthesizer, tmp_path: Path) -> None:
    """A WAV file is 48 kHz stereo, sample by sample; one for mono gets a mix."""
    options = SynthesisOptions(seed=1)
    audio = await synth.say("Hello there.", options=options)
    sink, mono = WavSink(tmp_path / "a.wav"), WavSink(tmp_path / "b.wav", 48_000, 1)
    await play(synth.stream("Hello there.", options=options), sink)
    await sink.aclose()
    heard = await asyncio.to_thread(read_recording, tmp_path / "a.wav", 48_000, 2, 60)
    np.testing.assert_allclose(heard, audio.samples / 32768, atol=1e-4)
    await play(synth.stream("Hello there.", options=options), mono)
    with pytest.raises(SinkError, match="takes mono, and this chunk is stereo"):
        await mono.write(AudioChunk(b"\0" * FRAME_BYTES, 48_000, 0, 0.0, 0.08, channels=2))
    await mono.aclose()
    mixed = await asyncio.to_thread(read_recording, tmp_path / "b.wav", 48_000, 1, 60)
    np.testing.assert_allclose(mixed, audio.samples.mean(axis=1) / 32768, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 16_000])
async def test_into_a_telephone(synth: StreamingSynthesizer, rate: int) -> None:
    """A mono sink of another rate gets the mean of both channels, of the same length."""
    options, converter, made = SynthesisOptions(seed=1), RateConverter(rate, 1), b""
    async with synth.stream("Hello there.", options=options) as stream:
        async for chunk in stream:
            made += b"".join(each.pcm for each in converter.convert(chunk))
    whole = await synth.say("Hello there.", options=options)
    assert len(made) / 2 / rate == pytest.approx(whole.duration_s, abs=2 / rate)
    assert np.abs(np.frombuffer(made, "<i2").astype(int)).max() > 100


async def test_through_the_server(synth: StreamingSynthesizer) -> None:
    """OpenAI's formats and the socket, in stereo for who asks; what they bring is what `say` says."""
    text = "Hello there."
    audio = await synth.say(text, options=SynthesisOptions(seed=1))
    async with running(synth) as client:
        body = {"input": text, "seed": 1}
        wav, pcm, opus = [
            (await client.post("/v1/audio/speech", json={**body, "response_format": name})).content
            for name in ("wav", "pcm", "opus")
        ]
        heard = read_recording(wav, 48_000, 2, max_s=60)
        np.testing.assert_allclose(heard, audio.samples / 32768, atol=1e-4)
        assert len(pcm) / 2 / 24_000 == pytest.approx(audio.duration_s, abs=1e-3)
        assert len(read_recording(opus, 48_000, 2, max_s=60)) / 48_000 >= audio.duration_s
        refused = await client.post("/v1/audio/speech", json={**body, "n_vq": 3})
        assert refused.status_code == 400 and "all of its 6 codebooks" in refused.text
        address = str(client.base_url).replace("http", "ws") + "/v1/speak"
        async with connect(address) as socket:
            await socket.send(json.dumps({"type": "start", "seed": 1, "channels": 2}))
            await socket.send(json.dumps({"type": "text", "text": text, "end": True}))
            streamed = io.BytesIO()
            async for message in socket:
                if isinstance(message, bytes):
                    streamed.write(unpack(message).pcm)
                elif json.loads(message)["type"] == "done":
                    break
    assert streamed.getvalue() == audio.samples.tobytes()


async def test_through_a_call(synth: StreamingSynthesizer) -> None:
    """Two channels that differ arrive on a WebRTC track."""
    async with running(synth) as client:
        caller = Caller()
        await caller.call(client)
        caller.say("Hello there.", channels=2, seed=1)
        assert (await caller.until("started"))["channels"] == 2
        await caller.until("done")
        left, right = (np.concatenate(side).astype(float) for side in (caller.heard, caller.right))
        await caller.aclose()
    assert np.std(left) > 50 and np.std(left - right) > 50
