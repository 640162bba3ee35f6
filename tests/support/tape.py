"""What a CUDA graph is, on the CPU: the same operations on the same memory again, without the Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from moss_stream.engine.runner import CaptureFailed

# The host would have to know values of the device, or sizes would depend on them.
FORBIDDEN = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "item")


class Tape(TorchDispatchMode):
    """Notes every operation that runs under it; `replay` runs them again."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in FORBIDDEN, f"{name} waits for the device"
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, result))
        return result

    @torch.inference_mode()
    def replay(self) -> None:
        for func, args, kwargs, result in self.operations:
            again = func(*args, **kwargs)
            memory = {_memory(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, Tensor) and _memory(old) not in memory:
                    old.copy_(new)


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class TapeCapture:
    """A `Capture` for tests.

    Args:
        most: Captured graphs that fit into memory.
    """

    def __init__(self, most: int = 1000) -> None:
        self._most = most
        self.num_captured = self.num_replayed = 0

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        if self.num_captured == self._most:
            raise CaptureFailed("no room")
        self.num_captured += 1
        work()
        with Tape() as tape:
            work()

        def replay() -> None:
            self.num_replayed += 1
            tape.replay()

        return replay
