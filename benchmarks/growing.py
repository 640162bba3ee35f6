"""What early first audio costs the first frames of a stream whose codebooks come one row after the other.

    python -m benchmarks.growing [--sentences 12]

The embedded codec, which has 8 codebooks, decodes the beginning of what the embedded voice says: with all
codebooks, with fewer, and with one more in each frame until all are there, as `first_n_vq` does. What is
shown is how far the log-mel spectrum of a frame is from that with all codebooks, in dB.
"""

from __future__ import annotations

import argparse
import asyncio

import torch
from torch import Tensor

from benchmarks.codec_precision import codes
from moss_stream.codec.cat import Cat
from moss_stream.codec.load import load_cat
from moss_stream.config import EngineOptions
from moss_stream.embedded import embedded_model
from training.losses import mel_filters

FRAMES = (0, 1, 2, 3, 4, 5, 6, 7, 11)
LENGTH = 1 + FRAMES[-1]
WINDOW, BANDS = 1024, 80
"""43 ms of 24 kHz, and the bands of most vocoders."""
RANGE = 1e-6
"""60 dB below the loudest band: what is softer is not heard beside it."""
SILENT = 1e-2
"""20 dB below it: frames before the first one that is louder are silence."""


@torch.inference_mode()
def decode(codec: Cat, said: Tensor, depths: Tensor) -> Tensor:
    """Decode codes [1, T, Nq] frame by frame, with `depths` [T] codebooks of each; return [T, samples]."""
    used = torch.arange(said.shape[2]) < depths[:, None]
    state = codec.decoder.new_state(max_frames=1)
    frames = zip(said.split(1, dim=1), used, strict=True)
    return torch.cat([codec.decoder(frame, state, used=mask[None]) for frame, mask in frames])


def mel(frames: Tensor) -> Tensor:
    """Return the power of each band in each frame [T, samples]: [T, bands]."""
    hann = torch.hann_window(WINDOW)
    spectrum = torch.stft(frames, WINDOW, WINDOW // 4, window=hann, center=False, return_complex=True)
    return spectrum.abs().square().mean(dim=2) @ mel_filters(WINDOW, BANDS)


def distance_db(some: Tensor, whole: Tensor) -> Tensor:
    """Return how far frames [T, samples] are from those with all codebooks: [T], averaged over the bands."""
    powers = [mel(frames) for frames in (some, whole)]
    floor = powers[1].max() * RANGE
    a, b = (10 * torch.log10(power.clamp_min(floor)) for power in powers)
    return (a - b).abs().mean(dim=1)


def beginning(codec: Cat, said: Tensor) -> Tensor:
    """Return the codes of the first frames with sound."""
    sound = mel(decode(codec, said[:, : 3 * LENGTH], torch.full((3 * LENGTH,), said.shape[2])))
    loud = (sound.amax(dim=1) > SILENT * sound.max()).nonzero()
    start = int(loud[0]) if len(loud) else 0
    return said[:, start : start + LENGTH]


def main() -> None:
    """Parse the command line, decode, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=int, default=12)
    codec = load_cat(embedded_model() / "codec", torch.device("cpu"), EngineOptions(pack_weights=False))
    said = asyncio.run(codes(parser.parse_args().sentences))
    spoken = [beginning(codec, each) for each in said if each.shape[1] >= 4 * LENGTH]
    most = spoken[0].shape[2]
    whole = [decode(codec, each, torch.full((LENGTH,), most)) for each in spoken]
    print(f"{len(spoken)} sentences, {most} codebooks; dB")
    print(f"{'heard':8} " + " ".join(f"{f'frame {n}':>8}" for n in FRAMES))
    for first, grows in ((1, True), (2, True), (4, True), (1, False), (2, False), (4, False)):
        depths = (first + torch.arange(LENGTH) * grows).clamp(max=most)
        decoded = [decode(codec, each, depths) for each in spoken]
        apart = torch.stack([distance_db(*pair) for pair in zip(decoded, whole, strict=True)]).mean(dim=0)
        name = f"{first} to {most}" if grows else f"{first}"
        print(f"{name:8} " + " ".join(f"{x:8.1f}" for x in apart[list(FRAMES)].tolist()))


if __name__ == "__main__":
    main()
