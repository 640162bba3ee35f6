"""How long a test waits for what must come."""

from __future__ import annotations

__all__ = ["HANG_S"]

HANG_S = 120
"""What takes longer hangs. No machine that the suite runs on is so slow, and no test is about speed."""
