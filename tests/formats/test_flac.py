from __future__ import annotations

from moss_stream.formats.flac import with_length


def test_the_number_of_samples_is_the_last_36_bits() -> None:
    """What stands before it stays; one that is too large is not said."""
    field = bytes.fromhex("0bb800f000000000")
    assert with_length(field, 48_000).hex() == "0bb800f00000bb80"
    assert with_length(with_length(field, 2**36 - 1), 5).hex() == "0bb800f000000005"
    assert with_length(field, 2**36).hex() == "0bb800f000000000"
