"""What makes a reconstruction sound like its original."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moss_stream.audio import SAMPLE_RATE_HZ

__all__ = ["SpectralLoss"]

WINDOWS = (256, 512, 1024, 2048)
PHASE_WINDOW = 512
PHASE_WEIGHT = 0.4
MELS = {256: 20, 512: 40, 1024: 80, 2048: 120}


class SpectralLoss(nn.Module):
    """L1 between log-mel and log-magnitude spectra at several resolutions, and between waveforms.

    The last part, by samples and by frequency, is what teaches phases. It can be learned because the
    teacher's pitch is locked to the frames; without a strong pull towards it the model leaves phases to
    chance, and formants smear.
    """

    def __init__(self) -> None:
        super().__init__()
        for window in WINDOWS:
            self.register_buffer(f"hann{window}", torch.hann_window(window), persistent=False)
            self.register_buffer(f"mel{window}", mel_filters(window, MELS[window]), persistent=False)

    def forward(self, made: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the whole loss of [B, N] samples, and its parts "mel" and "phase" unweighted."""
        mel, magnitude = made.new_zeros(()), made.new_zeros(())
        phase = F.l1_loss(made, wanted) / wanted.abs().mean().clamp_min(1e-3)
        for window in WINDOWS:
            a, b = self._spectrum(made, window), self._spectrum(wanted, window)
            if window == PHASE_WINDOW:
                apart = (a - b).norm(dim=-1).mean((0, 2)) / b.norm(dim=-1).mean((0, 2)).clamp_min(1e-2)
                phase = phase + apart.mean()
            a, b = a.square().sum(-1), b.square().sum(-1)
            filters = self.get_buffer(f"mel{window}")
            mel = mel + F.l1_loss(_log(a.mT @ filters), _log(b.mT @ filters)) / len(WINDOWS)
            magnitude = magnitude + F.l1_loss(_log(a), _log(b)) / len(WINDOWS)
        return mel + 0.3 * magnitude + PHASE_WEIGHT * phase, {"mel": mel, "phase": phase}

    def _spectrum(self, x: Tensor, window: int) -> Tensor:
        hann = self.get_buffer(f"hann{window}")
        return torch.view_as_real(torch.stft(x, window, window // 2, window=hann, return_complex=True))


def _log(power: Tensor) -> Tensor:
    return power.clamp_min(1e-7).log10() / 2


def mel_filters(window: int, count: int) -> Tensor:
    """Return triangular mel filters [window / 2 + 1, count] up to half the sample rate."""
    top = 2595 * torch.log10(torch.tensor(1 + SAMPLE_RATE_HZ / 2 / 700))
    hertz = 700 * (10 ** (torch.linspace(0, float(top), count + 2) / 2595) - 1)
    bins = torch.linspace(0, SAMPLE_RATE_HZ / 2, window // 2 + 1)[:, None]
    rising = (bins - hertz[:-2]) / (hertz[1:-1] - hertz[:-2])
    falling = (hertz[2:] - bins) / (hertz[2:] - hertz[1:-1])
    filters = torch.minimum(rising, falling).clamp_min(0)
    return filters / filters.sum(0, keepdim=True).clamp_min(1e-8)
