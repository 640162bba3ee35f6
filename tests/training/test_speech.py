from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from golden_data import CPU

from moss_stream.config import EngineOptions
from moss_stream.families.frame_prompts import FramePrompts
from moss_stream.families.local.config import LocalConfig
from moss_stream.families.local.load import load_local
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.nn.qwen3 import causal_mask
from moss_stream.text.message import Message
from training.examples import NO_PHONE, NOWHERE, Batch
from training.export import export_checkpoint
from training.settings import SpeechSettings
from training.speech_config import local_config
from training.speech_model import TrainableLocal, guide_loss
from training.tokenizer import write_tokenizer

TINY = SpeechSettings(
    hours_per_voice=1.0,
    layers=2,
    hidden=48,
    inner=96,
    heads=3,
    kv_heads=1,
    head_dim=16,
    depth_layers=2,
    depth_hidden=32,
    depth_inner=64,
    bridge=40,
    steps=40,
    warmup_steps=2,
    batch_rows=256,
    matrix_rate=1e-3,
    other_rate=1e-3,
)


def make(folder: Path) -> TrainableLocal:
    torch.manual_seed(0)
    raw = local_config(TINY, write_tokenizer(folder), vocab_size=320, codebooks=(4, 16))
    model = TrainableLocal(LocalConfig.parse(raw, "here"))
    export_checkpoint(model, raw, folder, without="phone_head")
    return model


def rows_of(folder: Path, model: TrainableLocal) -> torch.Tensor:
    """A prompt with a voice, three frames and the end."""
    random = np.random.default_rng(0)
    voice, spoken = random.integers(0, 16, (5, 4)), random.integers(0, 16, (3, 4))
    builder = FramePrompts(model.config, ChatTokenizer(folder))
    rows = builder.build(Message(text="Hëllo there.", reference=[voice], tokens=3))
    audio = np.concatenate([np.full((3, 1), model.config.audio_assistant_gen_slot_token_id), spoken], axis=1)
    end = np.array([[model.config.audio_end_token_id, 16, 16, 16, 16]])
    return torch.from_numpy(np.concatenate([rows, audio, end]))


def batch_of(rows: torch.Tensor, text: slice = slice(1, 3), place: float = 2.0) -> Batch:
    """One example whose last four rows are learned."""
    wanted, is_text = (torch.zeros(1, len(rows), dtype=torch.bool) for _ in range(2))
    wanted[0, -5:-1], is_text[0, text] = True, True
    phones = torch.where(wanted[..., None], 7, NO_PHONE).repeat(1, 1, 3)
    return Batch(rows[None], wanted, torch.where(wanted, place, NOWHERE), phones, is_text)


def loss_of(model: TrainableLocal, rows: torch.Tensor) -> float:
    """The loss with the same frames learned whole each time."""
    torch.manual_seed(0)
    return model.loss(batch_of(rows), 4)[0].item()


def test_an_exported_model_computes_what_the_trained_one_does(tmp_path: Path) -> None:
    """The package's model, loaded from the export, gives the trained one's logits of every channel."""
    trained = make(tmp_path)
    rows = rows_of(tmp_path, trained)
    loaded = load_local(tmp_path, CPU, torch.float32, EngineOptions(text_head="full", max_context=256))
    t = len(rows)
    positions = torch.arange(t)[None]
    with torch.inference_mode():
        states = trained.backbone(batch_of(rows), 4)[0][0, -5:-1]
        expected = trained.logits(states, rows[-4:], 4)
        cache = loaded.backbone.new_cache(1, 256)
        states = loaded.hidden(rows[None], 4, positions, cache, t, causal_mask(positions, t))[0, -5:-1]
        depth, following = loaded.depth.new_cache(4), rows[-4:]
        x = loaded.depth.in_mlp(states)
        for channel in range(5):
            logits = loaded.depth.step(x, channel, depth)
            codes = slice(None, 16 if channel else None)  # the pad code is masked when sampling
            torch.testing.assert_close(logits[:, codes], expected[channel][:, codes], atol=1e-4, rtol=1e-4)
            if channel == 0:
                x = loaded.depth.in_mlp(F.embedding(following[:, 0], loaded.text_embedding))
            elif channel < 4:
                x = loaded.depth.code_input(channel - 1, following[:, channel])


def test_a_prompt_takes_few_rows(tmp_path: Path) -> None:
    """The template costs a dozen rows, the text one a byte, the voice one a frame and two."""
    model = make(tmp_path)
    rows = rows_of(tmp_path, model)
    assert len("Hëllo there.".encode()) + 5 + 4 < len(rows) < len("Hëllo there.".encode()) + 5 + 4 + 30


def test_special_tokens_are_whole_and_text_is_bytes(tmp_path: Path) -> None:
    """Any text can be encoded, byte by byte; special tokens are one id each."""
    ids = write_tokenizer(tmp_path)
    tokenizer = ChatTokenizer(tmp_path)
    assert tokenizer.encode("<|audio_end|>") == [ids["<|audio_end|>"]]
    assert len(tokenizer.encode("None of 界!")) == len("None of 界!".encode())


def test_the_loss_ignores_the_codes_of_the_last_row(tmp_path: Path) -> None:
    """What stands in the audio channels of the end row does not matter; its text id does."""
    model = make(tmp_path)
    rows = rows_of(tmp_path, model)
    changed = rows.clone()
    changed[-1, 1:] = 3
    assert loss_of(model, rows) == loss_of(model, changed)
    changed[-1, 0] = model.config.audio_assistant_gen_slot_token_id
    assert loss_of(model, rows) != loss_of(model, changed)


def test_a_guided_head_learns_to_look_at_the_wanted_character() -> None:
    """The loss of a head that looks at the right character is lower than that of one that looks elsewhere."""
    batch = batch_of(torch.zeros(12, 5, dtype=torch.long), text=slice(2, 8), place=4.0)
    right, wrong = torch.zeros(1, 12, 12), torch.zeros(1, 12, 12)
    right[..., 4], wrong[..., 7] = 1.5, 1.5
    assert guide_loss(right, batch) < guide_loss(torch.zeros(1, 12, 12), batch) < guide_loss(wrong, batch)
    right[..., 9:] = 100.0
    assert guide_loss(right, batch) < 3, "what is outside of the text does not matter"
