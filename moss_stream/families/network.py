"""What the engine asks of a network, whatever its family."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from moss_stream.nn.cache import KVCache
    from moss_stream.nn.ops import Ops
    from moss_stream.nn.sampling import Sampler
    from moss_stream.text.message import Rows

__all__ = ["DelayFormat", "Network", "NetworkScratch", "RowFormat", "TextFeed"]


@dataclass(frozen=True, slots=True)
class TextFeed:
    """How a model that reads its text while it speaks is given it: a token with each row."""

    opening: int
    """Tokens that it reads before the first frame; all of them, if the text has fewer."""
    pad_id: int
    """The text id of rows after the text is over."""
    pad_code: int
    """The codes of rows without audio."""
    bos_code: int
    """The first codebook's code in the last row before the first frame."""


@dataclass(frozen=True, slots=True)
class DelayFormat:
    """How the text ids of rows say where audio is, if codebook j of a frame is j rows below codebook 0."""

    start_id: int
    """The next row has the first code of an audio."""
    slot_id: int
    """The row has the first code of a frame."""
    end_slot_id: int
    """The first of these has the first code of the last frame; the others have codes of frames before."""


@dataclass(frozen=True, slots=True)
class RowFormat:
    """The rows that a network reads and makes: one text id and a code of each codebook."""

    num_codebooks: int
    codebook_size: int
    """Codes of a codebook that the codec knows: those from 0 on."""
    vocab_size: int
    """Values of a codebook's channel: the codes, and what marks rows without audio."""
    pad_code: int | None
    """A value that is never sampled; None if all may be."""
    end_channel: int
    """Where it shows that a segment is over: 0 in the text id, 1 in the first codebook."""
    end_id: int
    """What stands there in the row that ends a segment; its codes are not audio."""
    max_rows: int
    """The longest context that the network was built for."""
    feed: TextFeed | None = None
    """None: the whole text of a segment is in its prompt, and the text channel is sampled."""
    window: int | None = None
    """Frames that the repetition penalty looks back on; None: all rows, those of the prompt included."""
    penalises_greedy: bool = False
    """The repetition penalty holds at temperature 0, too; with a `window` it always does."""
    penalises_prompt: bool = True
    """The repetition penalty counts the codes of the prompt, too; with a `window` it never does."""
    needs_all: bool = False
    """The model was trained with all codebooks in every row, and does not do without the finer ones."""
    delay: DelayFormat | None = None
    """None: a row is a frame."""


class NetworkScratch(Protocol):
    """What `Network.next_row` works on, for some sequences."""

    def part(self, start: int, stop: int) -> NetworkScratch:
        """Return that of the sequences from `start` to `stop`; it shares the memory."""

    def begin(self, sequence: int, rows: Rows) -> None:
        """Note that a sequence goes on behind the rows [T, 1 + Nq] of a prompt."""

    def state(self) -> list[Tensor]:
        """Return every tensor that outlives a step."""


class Network(Protocol):
    """A model on a device, ready to run; every state is the caller's."""

    @property
    def rows(self) -> RowFormat:
        """The format of its rows."""

    @property
    def width(self) -> int:
        """Size of a hidden state."""

    @property
    def device(self) -> torch.device:
        """Where it runs."""

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""

    @property
    def ops(self) -> Ops:
        """What computes its operations."""

    @property
    def finds_rows(self) -> bool:
        """Whether steps of one row need no mask; see `moss_stream.nn.ops.Ops`."""

    def modules(self) -> Iterator[nn.Module]:
        """Return its modules; see `moss_stream.nn.ops.use`."""

    def new_cache(self, batch: int, capacity: int) -> KVCache:
        """Return an empty KV cache for `batch` sequences of up to `capacity` rows."""

    def new_scratch(self, batch: int) -> NetworkScratch:
        """Return what `next_row` works on: a cache of the channels of one frame, or a place in a pattern."""

    def hidden(
        self,
        rows: Tensor,
        n_vq: int,
        positions: Tensor,
        cache: KVCache,
        context: int,
        mask: Tensor | None,
        used: Tensor | None = None,
    ) -> Tensor:
        """Embed rows and run them through the backbone.

        Args:
            rows: [B, T, 1 + Nq].
            n_vq: How many codebooks are embedded.
            positions: [B, T]: where in the cache they belong.
            cache: Of the sequences; written.
            context: Rows of the cache that are attended over.
            mask: [B, T, context] or None, see `moss_stream.nn.qwen3.causal_mask`.
            used: [B, n_vq] bool: which codebooks count; None for all.

        Returns:
            [B, T, width], after the last norm.
        """

    def next_row(
        self,
        hidden: Tensor,
        n_vq: int,
        scratch: NetworkScratch,
        sampler: Sampler,
        out: Tensor,
        is_outside: bool = False,
    ) -> None:
        """Sample the row that follows a hidden state.

        Args:
            hidden: Of the last row, [B, width].
            n_vq: How many codebooks to generate; the others are left as they are in `out`.
            scratch: Of the sequences; written.
            sampler: Samples and remembers; its `next_frame` was called.
            out: [B, 1 + Nq] int64, written.
            is_outside: With a `DelayFormat`: a sequence may be outside audio, where the text channel is
                sampled from all ids.
        """
