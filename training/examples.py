"""Training examples of the speech model: prompts in the package's own format, and what follows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from moss_stream.families.frame_prompts import FramePrompts
from moss_stream.families.local.config import LocalConfig
from moss_stream.families.tokenizer import ChatTokenizer
from moss_stream.text.message import Codes, Message, Rows
from training.tokenizer import TEXT_FIELD

__all__ = ["PHONES_OF_FRAME", "Batch", "Example", "Examples", "Utterance", "collate", "noisy"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NOWHERE = -1.0
PHONES_OF_FRAME = 3
NO_PHONE = -100
REFERENCE_FRAMES = 12, 70


@dataclass(frozen=True)
class Utterance:
    """A sentence, the codes of its audio, and where in the text the voice is in each frame."""

    text: str
    codes: Codes
    """[T, Nq]."""
    places: FloatArray
    """[T], in characters from the beginning of the text."""
    phones: IntArray
    """[T, 3]: what is spoken in each third of a frame, as indices of `training.flite.PHONES`."""


@dataclass(frozen=True)
class Example:
    """The rows of a prompt and its answer."""

    rows: Rows
    prompt_length: int
    places: FloatArray
    """For each row: the row of the character that the frame after it speaks; NOWHERE if none follows."""
    phones: IntArray
    """For each row: the phones of the frame after it; NO_PHONE if none follows."""
    text: slice
    """The rows of the text and of the token that ends it."""


@dataclass(frozen=True)
class Batch:
    """Padded examples."""

    rows: Tensor
    """[B, T, 1 + Nq]."""
    wanted: Tensor
    """[B, T] bool: positions that are followed by a row to learn."""
    places: Tensor
    """[B, T], see Example."""
    phones: Tensor
    """[B, T, 3], see Example."""
    text: Tensor
    """[B, T] bool: the rows of the text."""

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(part.to(device) for part in vars(self).values()))


class Examples:
    """Draws examples; the same number gives the same example.

    Half of the examples have a reference, a part of another sentence of the same voice; the rest have none
    and are all spoken by the first voice, so that this is what the model speaks with when no voice is given.
    Half name their length. Two in five speak two sentences, which teaches continuation too: the second one
    follows the text of both and the codes of the first, in the same rows as after a prefix.

    Args:
        voices: The utterances of each voice, the default one first.
        builder: Of the model's prompts.
        tokenizer: Of the model.
        config: Of the model.
    """

    def __init__(
        self,
        voices: list[list[Utterance]],
        builder: FramePrompts,
        tokenizer: ChatTokenizer,
        config: LocalConfig,
    ) -> None:
        self._voices, self._builder, self._config = voices, builder, config
        (self._text_token,) = tokenizer.encode(TEXT_FIELD)

    def draw(self, number: int) -> Example:
        """Return example `number`."""
        choose = np.random.default_rng(number)
        is_cloned = choose.random() < 0.5
        utterances = self._voices[choose.integers(len(self._voices)) if is_cloned else 0]
        first, second, voice = (utterances[choose.integers(len(utterances))] for _ in range(3))
        spoken = _joined(first, second) if choose.random() < 0.4 else noisy(first, choose)
        message = Message(
            text=spoken.text,
            reference=[_part(voice.codes, choose)] if is_cloned else None,
            tokens=len(spoken.codes) if choose.random() < 0.5 else None,
        )
        return self._example(spoken, message)

    def _example(self, spoken: Utterance, message: Message) -> Example:
        """Return the prompt and its answer."""
        prompt, frames = self._builder.build(message), len(spoken.codes)
        rows = np.concatenate([prompt, self._answer(spoken.codes)])
        begin = int((prompt[:, 0] == self._text_token).argmax()) + 1
        answer = slice(len(prompt) - 1, len(prompt) - 1 + frames)  # each frame is told to the row before it
        places = np.full(len(rows), NOWHERE)
        places[answer] = begin + spoken.places - 0.5
        places[answer.stop] = begin + len(spoken.text)  # the end of the audio is spoken at that of the text
        phones = np.full((len(rows), PHONES_OF_FRAME), NO_PHONE)
        phones[answer] = spoken.phones
        return Example(rows, len(prompt), places, phones, slice(begin, begin + len(spoken.text) + 1))

    def _answer(self, codes: Codes) -> Rows:
        """Return the rows of spoken audio and of its end."""
        rows = np.full((len(codes) + 1, 1 + self._config.n_vq), self._config.audio_pad_code, dtype=np.int64)
        rows[:-1, 0] = self._config.audio_assistant_gen_slot_token_id
        rows[:-1, 1:] = codes
        rows[-1, 0] = self._config.audio_end_token_id
        return rows


def _part(codes: Codes, choose: np.random.Generator) -> Codes:
    """Return a second or more of a recording; shorter references leave more of a batch for answers."""
    length = min(len(codes), int(choose.integers(*REFERENCE_FRAMES)))
    start = int(choose.integers(len(codes) - length + 1))
    return codes[start : start + length]


def _joined(first: Utterance, second: Utterance) -> Utterance:
    return Utterance(
        f"{first.text} {second.text}",
        np.concatenate([first.codes, second.codes]),
        np.concatenate([first.places, second.places + len(first.text) + 1]),
        np.concatenate([first.phones, second.phones]),
    )


def noisy(utterance: Utterance, choose: np.random.Generator) -> Utterance:
    """Return an utterance as users type it: now and then without capitals, punctuation or care for spaces."""
    kind, pieces = choose.random(), list(utterance.text)
    if kind < 0.08:
        pieces = [piece.lower() for piece in pieces]
    elif kind < 0.11:
        pieces = [piece.upper() for piece in pieces]
    elif kind < 0.2:
        pieces = ["" if piece in ".,;:!?" else piece for piece in pieces]
    elif kind < 0.25:
        pieces = ["  " if piece == " " and choose.random() < 0.3 else piece for piece in pieces]
    moved = np.cumsum([0, *map(len, pieces)])
    places = np.interp(utterance.places, np.arange(len(moved)), moved)
    return Utterance("".join(pieces), utterance.codes, places, utterance.phones)


def collate(examples: list[Example], pad_row: list[int]) -> Batch:
    """Return examples as one padded batch."""
    shape = len(examples), max(len(example.rows) for example in examples)
    rows = torch.tensor(pad_row).repeat(*shape, 1)
    wanted, text = (torch.zeros(shape, dtype=torch.bool) for _ in range(2))
    places = torch.full(shape, NOWHERE)
    phones = torch.full((*shape, PHONES_OF_FRAME), NO_PHONE)
    for index, example in enumerate(examples):
        length = len(example.rows)
        rows[index, :length] = torch.from_numpy(example.rows)
        places[index, :length] = torch.from_numpy(example.places)
        phones[index, :length] = torch.from_numpy(example.phones)
        wanted[index, example.prompt_length - 1 : length - 1] = True
        text[index, example.text] = True
    return Batch(rows, wanted, places, phones, text)
