"""Sizes in the IR's text: what `Size` prints, the attributes read."""

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin
from xdsl.parser import Parser

from stepwell.compiler.dialects.sizes import SizeAttr
from stepwell.compiler.ops import ND
from stepwell.runtime.sizes import Size, largest, smallest

B, N = Size.of("B"), Size.of("N")


@pytest.mark.parametrize(
    "size",
    [
        Size.of(7),
        B,
        2 * B * N - 1,
        (B + 15) // 16,
        (3 * B + N) % 5,
        smallest(B, 10),
        largest(N + 7, 4 * N, 10) - 7,
    ],
    ids=str,
)
def test_a_size_is_read_as_it_is_printed(size: Size) -> None:
    context = Context()
    context.load_dialect(Builtin)
    context.load_dialect(ND)
    attribute = SizeAttr(size)
    assert Parser(context, str(attribute)).parse_attribute() == attribute
