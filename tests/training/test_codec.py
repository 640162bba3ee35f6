from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from golden_data import CPU

from moss_stream.codec.config import CatConfig
from moss_stream.codec.load import load_cat
from moss_stream.config import EngineOptions
from training.adapt_codec import EncoderTrainer
from training.codec_model import TrainableCat, cat_config, encode
from training.export import export_checkpoint
from training.losses import SpectralLoss
from training.refine_codec import DecoderTrainer
from training.settings import CodecSettings
from training.train_codec import CodecTrainer

TINY = CodecSettings(
    widths=(32, 32, 32, 64),
    layers=(1, 1, 1, 1),
    num_codebooks=3,
    codebook_size=16,
    codebook_dim=4,
    rvq_dim=16,
    steps=100,
    warmup_steps=5,
    adapt_steps=50,
    refine_steps=20,
    batch=2,
    crop_frames=4,
    matrix_rate=3e-3,
    other_rate=1e-3,
)


def tones(count: int) -> torch.Tensor:
    """Sine waves of rising pitch, one a row."""
    t = np.arange(4 * 1920) / 24_000
    waves = [np.sin(2 * np.pi * f * t) * 0.3 for f in np.linspace(150, 900, count)]
    return torch.from_numpy(np.stack(waves).astype(np.float32))


def test_an_exported_codec_computes_what_the_trained_one_does(tmp_path: Path) -> None:
    """The package's streaming codec, loaded from the export, gives the trained one's codes and samples."""
    torch.manual_seed(0)
    config = cat_config(TINY)
    trained = TrainableCat(CatConfig.parse(config, "here"))
    export_checkpoint(trained, config, tmp_path)
    codec = load_cat(tmp_path, CPU, EngineOptions())
    samples = tones(1)
    with torch.inference_mode():
        made, quantized = trained(samples, torch.tensor([3]))
        assert torch.equal(codec.encode(samples[0]), quantized.codes[0])
        state = codec.decoder.new_state(max_frames=1)
        streamed = [codec.decoder(frame, state) for frame in quantized.codes.split(1, dim=1)]
    torch.testing.assert_close(torch.cat(streamed, dim=1), made, atol=1e-4, rtol=1e-4)


def test_training_lowers_the_loss_and_keeps_codes_alive() -> None:
    """A few steps on a few tones bring the loss down and use codes of every codebook."""
    trainer = CodecTrainer(TINY, CPU)
    losses = [trainer.train_step((tones(4), tones(4)))["spectral"] for _ in range(50)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert (trainer.last_used > 0).any(dim=1).all()


def test_a_stopped_training_goes_on_where_it_was() -> None:
    """A restored state takes the same next step."""
    torch.manual_seed(1)
    first = CodecTrainer(TINY, CPU)
    for _ in range(3):
        first.train_step((tones(2), tones(2)))
    second = CodecTrainer(TINY, CPU)
    second.restore(first.state())
    losses = []
    for trainer in (first, second):
        torch.manual_seed(2)
        losses.append(trainer.train_step((tones(2), tones(2)))["loss"])
    assert losses[0] == pytest.approx(losses[1])


def test_the_spectral_loss_hears_pitch_and_loudness() -> None:
    """Equal sounds cost nothing; another pitch costs more than another loudness."""
    loss, tone = SpectralLoss(), tones(3)
    assert loss(tone, tone)[0] == 0
    assert loss(tone[:1], tone[2:])[0] > loss(tone[:1], 0.9 * tone[:1])[0] > 0


def test_a_sequence_that_is_not_quantized_passes_unchanged() -> None:
    """With no codebooks at all, what the decoder gets are the encoder's own vectors."""
    model = TrainableCat(CatConfig.parse(cat_config(TINY), "here"))
    with torch.inference_mode():
        vectors = encode(model.encoder, tones(2))
        quantizer = model.quantizer
        straight = quantizer.output_proj(quantizer.input_proj(vectors.transpose(1, 2))).transpose(1, 2)
        passed = quantizer(vectors, torch.tensor([0, 3])).vectors
    torch.testing.assert_close(passed[0], straight[0])
    assert not torch.allclose(passed[1], straight[1])


def test_an_adapted_encoder_gives_other_sounds_the_codes_it_knows() -> None:
    """The encoder learns to hear one set of sounds as another; codebooks and decoder stay."""
    torch.manual_seed(0)
    model = TrainableCat(CatConfig.parse(cat_config(TINY), "here"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = EncoderTrainer(TINY, model, CPU)
    losses = [trainer.train_step((tones(4).flip(0), tones(4)))["spoken"] for _ in range(50)]
    assert losses[-1] < 0.5 * losses[0]
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("encoder") for name in changed)


def test_refining_changes_the_decoder_and_no_code() -> None:
    """A decoder that is trained on makes better samples of the same codes."""
    trainer = CodecTrainer(TINY, CPU)
    for _ in range(5):
        trainer.train_step((tones(4), tones(4)))
    everything = torch.full((4,), TINY.num_codebooks)
    codes = trainer.model(tones(4), everything)[1].codes
    refined = DecoderTrainer(TINY, trainer.model, CPU)
    losses = [refined.train_step((tones(4), tones(4)))["loss"] for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]
    assert torch.equal(refined.model(tones(4), everything)[1].codes, codes)
