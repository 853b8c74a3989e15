"""Lines out of the pieces in which a pipe gives them."""

from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.opening.front import _lines


@given(st.lists(st.binary(max_size=6).map(lambda b: b.replace(b"\x00", b"\n")), max_size=12))
def test_pieces_come_to_the_lines_of_the_whole(pieces: list[bytes]) -> None:
    rest = bytearray()
    found = [line for piece in pieces for line in _lines(rest, piece)]
    *lines, last = b"".join(pieces).split(b"\n")
    assert (found, bytes(rest)) == (lines, last)
