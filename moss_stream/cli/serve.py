"""`moss-stream serve`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

import moss_stream
from moss_stream.cli.cluster import serve_cluster
from moss_stream.cli.options import Codec, Device, Dtype, LexiconFile, Model, errors
from moss_stream.errors import ConfigError, MissingDependency
from moss_stream.quote import complaint, quoted

__all__ = ["serve"]

MAX_QUEUE_S = 5.0
"""Whoever listens has given up by then, and another server may be free."""


def serve(
    model: Model = None,
    codec: Codec = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback need a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8000,
    api_key: Annotated[
        list[str] | None, typer.Option(envvar="MOSS_API_KEY", help="Opens the server; several may.")
    ] = None,
    is_open: Annotated[bool, typer.Option("--open", help="Let everybody in, on any address.")] = False,
    origin: Annotated[
        list[str] | None, typer.Option(help="A web page's origin that may use the server.")
    ] = None,
    voices_folder: Annotated[
        str | None,
        typer.Option("--voices", help="Folder or fsspec address (s3://…) for uploaded voices."),
    ] = None,
    wyoming: Annotated[
        str | None, typer.Option(help="Serve Home Assistant too, on tcp://HOST:PORT (Wyoming).")
    ] = None,
    lexicon: LexiconFile = None,
    max_streams: Annotated[int, typer.Option(help="Streams that are spoken at the same time.")] = 8,
    streams_per_key: Annotated[
        int | None,
        typer.Option(
            help="Streams of one key at the same time; by default max-streams where there are several keys."
        ),
    ] = None,
    max_queue: Annotated[int, typer.Option(help="Streams that wait; further ones are refused.")] = 8,
    max_queue_s: Annotated[
        float, typer.Option(help="Seconds that a stream waits before it is refused, too.")
    ] = MAX_QUEUE_S,
    fixed_batch: Annotated[
        bool, typer.Option(help="Compute max_streams always: a seed gives the same audio in any company.")
    ] = False,
    with_ray: Annotated[
        bool, typer.Option("--ray", help="Serve by Ray Serve: several replicas, on many machines.")
    ] = False,
    replicas: Annotated[
        str, typer.Option(help="With --ray: how many, or from how many to how many (1-4).")
    ] = "1",
    log_json: Annotated[bool, typer.Option(help="One JSON object a line.")] = False,
    log_texts: Annotated[bool, typer.Option(help="Write down what is spoken, not only how much.")] = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Serve clients of OpenAI, ElevenLabs, Cartesia, Deepgram and Wyoming, and WS /v1/speak."""

    async def run(options: moss_stream.EngineOptions) -> None:
        async with await moss_stream.StreamingSynthesizer.load(
            model, codec=codec, device=device, dtype=dtype, options=options, lexicon=words
        ) as synth:
            await run_server(synth, settings)

    with errors(Console(stderr=True)):
        try:
            from moss_stream.server.run import run as run_server
            from moss_stream.server.settings import ServerSettings
            from moss_stream.server.voice_shelf import shelf_at
            from moss_stream.server.wyoming.port import wyoming_address
        except ImportError as error:
            raise MissingDependency("Serving needs FastAPI and uvicorn", "server") from error
        try:
            settings = ServerSettings(
                host=host,
                port=port,
                api_keys=tuple(api_key or ()),
                is_open=is_open,
                origins=tuple(origin or ()),
                voices=voices_folder,
                wyoming=wyoming,
                streams_per_key=streams_per_key,
                logs_json=log_json,
                logs_texts=log_texts,
            )
        except ValidationError as error:
            raise ConfigError(_sentence(error)) from error
        if wyoming is not None:
            wyoming_address(wyoming, settings)  # before a model is loaded
        if voices_folder is not None:
            shelf_at(voices_folder)  # before a model is loaded
        engine = moss_stream.EngineOptions(
            max_streams=max_streams, max_queue=max_queue, max_queue_s=max_queue_s, fixed_batch=fixed_batch
        )
        if with_ray:
            serve_cluster(settings, engine, replicas, model, codec, device, dtype, lexicon)
            return
        words = None if lexicon is None else moss_stream.load_lexicon(lexicon)
        asyncio.run(run(engine))


def _sentence(error: ValidationError) -> str:
    """Return what is wrong with a setting, by the name of its option."""
    first = error.errors()[0]
    if not first["loc"]:  # it is about several of them
        return f"{complaint(first)}."
    option = "--" + str(first["loc"][0]).replace("_", "-")
    return f"{option} {quoted(first['input'])}: {complaint(first)}."
