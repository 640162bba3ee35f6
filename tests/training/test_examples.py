from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from golden_data import CPU

from moss_stream.families.frame_prompts import FramePrompts
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.text.message import Message
from tests.training.test_speech import TINY, make
from training.encode import phones, read_codes, write_codes
from training.examples import NO_PHONE, Examples, Utterance, collate, noisy
from training.flite import Phone
from training.train_speech import Batches, SpeechTrainer


def utterances(value: int) -> list[Utterance]:
    """Sentences whose codes are one number, so that a voice can be told by its codes."""
    texts = ["One short sentence.", "And another one, a little longer.", "The last one of all."]
    return [
        Utterance(
            text,
            np.full((3 + i, 4), value),
            np.linspace(0, len(text), 3 + i),
            np.arange(9 + 3 * i).reshape(-1, 3) + value,
        )
        for i, text in enumerate(texts)
    ]


def examples(folder: Path) -> tuple[Examples, SpeechTrainer]:
    config = make(folder).config
    tokenizer = ChatTokenizer(folder)
    voices = [utterances(1), utterances(2), utterances(3)]
    drawn = Examples(voices, FramePrompts(config, tokenizer), tokenizer, config)
    return drawn, SpeechTrainer(TINY, config, CPU)


def test_examples_are_prompts_with_their_answers(tmp_path: Path) -> None:
    """Each example ends with the end of audio, and what follows its prompt is one voice throughout."""
    drawn, trainer = examples(tmp_path)
    config = trainer.model.config
    cloned = 0
    for number in range(60):
        example = drawn.draw(number)
        answer = example.rows[example.prompt_length :]
        assert answer[-1, 0] == config.audio_end_token_id and (answer[-1, 1:] == 16).all()
        assert (answer[:-1, 0] == config.audio_assistant_gen_slot_token_id).all()
        voice = set(answer[:-1, 1:].flatten().tolist())
        heard = example.rows[: example.prompt_length]
        reference = heard[heard[:, 0] == config.audio_user_slot_token_id][:, 1:]
        cloned += len(reference) > 0
        assert voice == (set(reference.flatten().tolist()) or {1})
    assert 15 < cloned < 45


def test_an_example_is_the_same_every_time(tmp_path: Path) -> None:
    """A training that was stopped goes on with the examples it would have seen."""
    drawn, _ = examples(tmp_path)
    np.testing.assert_array_equal(drawn.draw(5).rows, drawn.draw(5).rows)
    assert len({drawn.draw(number).rows.tobytes() for number in range(20)}) > 10


def test_a_continuation_has_the_rows_of_two_sentences(tmp_path: Path) -> None:
    """What is learned from two sentences is what the model reads when it goes on after the first."""
    drawn, trainer = examples(tmp_path)
    builder = FramePrompts(trainer.model.config, ChatTokenizer(tmp_path))
    same = 0
    for example in (drawn.draw(number) for number in range(60)):
        frames = slice(example.prompt_length, example.prompt_length + 3)
        # The first 94 bytes of a byte-level vocabulary are the printable ones of ASCII, 220 is the space.
        text = "".join(chr(i + 33) if i < 94 else " " for i in example.rows[example.text, 0][:-1])
        again = builder.build(Message(text=text), example.rows[frames, 1:])
        same += np.array_equal(again, example.rows[: frames.stop])
    assert same > 10, "as many as have neither a reference nor a length"


def test_padding_is_not_learned(tmp_path: Path) -> None:
    """In a batch each answer is learned whole, its end included, and nothing else."""
    drawn, _ = examples(tmp_path)
    batch = [drawn.draw(number) for number in range(5)]
    padded = collate(batch, [0, 16, 16, 16, 16])
    answers = [len(example.rows) - example.prompt_length for example in batch]
    assert padded.wanted.sum(1).tolist() == answers and padded.rows.shape[:2] == padded.wanted.shape


def test_the_speech_model_learns(tmp_path: Path) -> None:
    """A few steps lower the loss; a restored trainer takes the same next step."""
    drawn, trainer = examples(tmp_path)
    batches = Batches(drawn, [0, 16, 16, 16, 16], 600)
    losses = [trainer.train_step(batches.batch(0))["loss"] for _ in range(24)]
    assert losses[-1] < 0.9 * losses[0]
    other = SpeechTrainer(TINY, trainer.model.config, CPU)
    other.restore(trainer.state())
    steps = []
    for each in (trainer, other):
        torch.manual_seed(3)
        steps.append(each.train_step(batches.batch(1))["loss"])
    assert steps[0] == steps[1]


def test_codes_survive_the_disk(tmp_path: Path) -> None:
    """What was encoded is read back as it was, texts of any script included."""
    foreign = Utterance(
        "Grüße, 世界!", np.arange(8).reshape(2, 4), np.array([0.5, 7.0]), np.ones((2, 3), int)
    )
    wanted = [*utterances(5), foreign]
    write_codes(wanted[:2], tmp_path / "slt_00000.npz")
    write_codes(wanted[2:], tmp_path / "slt_00500.npz")
    write_codes(wanted, tmp_path / "rms_00000.npz")
    for a, b in zip(wanted, read_codes(tmp_path, "slt"), strict=True):
        assert a.text == b.text
        np.testing.assert_array_equal(a.codes, b.codes)
        np.testing.assert_allclose(a.places, b.places)
        np.testing.assert_array_equal(a.phones, b.phones)


def test_the_phones_of_a_frame_are_those_in_its_thirds() -> None:
    """Each third of a frame has the phone that is heard in its middle, the last phone to the end."""
    spoken = [Phone(0, 0.03), Phone(7, 0.06), Phone(9, 0.1)]
    assert phones(spoken, 2).tolist() == [[0, 7, 9], [9, 9, 9]]
    assert phones([], 1).tolist() == [[0, 0, 0]]


def test_every_frame_knows_its_phones(tmp_path: Path) -> None:
    """The rows before the frames of an answer are told their phones, in order, and no other rows."""
    drawn, _ = examples(tmp_path)
    for number in range(30):
        example = drawn.draw(number)
        told = example.phones[:, 0] != NO_PHONE
        frames = len(example.rows) - example.prompt_length - 1
        assert told.nonzero()[0].tolist() == [example.prompt_length - 1 + i for i in range(frames)]
        assert example.phones[told][0, 1] - example.phones[told][0, 0] == 1
        assert (example.phones[told][:3].flatten() == np.arange(9) + example.phones[told][0, 0]).all()


def test_every_frame_knows_the_character_it_speaks(tmp_path: Path) -> None:
    """The row before each frame is told the row of the text that is spoken in it."""
    drawn, _ = examples(tmp_path)
    end = ChatTokenizer(tmp_path).encode("\n</user_inst>")
    for number in range(60):
        example = drawn.draw(number)
        guided = example.places[example.places >= 0]
        text = example.rows[example.text, 0]
        assert [text[-1]] == end and (np.diff(guided) >= 0).all()
        assert guided[-1] == example.text.stop - 1, "the end of the audio is spoken at the end of the text"
        assert guided[0] == example.text.start - 0.5
        assert example.places[example.prompt_length - 1] >= 0 > example.places[-1]


def test_noise_moves_the_places_with_the_characters() -> None:
    """A frame that speaks a character still does after spaces were doubled or punctuation was left out."""
    text = "One, two, three, four."
    places = np.array([float(text.index(word)) for word in ("One", "two", "three", "four")])
    made = [
        noisy(Utterance(text, np.zeros((4, 4), int), places, np.zeros((4, 3), int)), np.random.default_rng(i))
        for i in range(200)
    ]
    assert len({utterance.text for utterance in made}) > 4
    for utterance in made:
        assert [utterance.text[round(place)].lower() for place in utterance.places] == ["o", "t", "t", "f"]
