"""What is not known is guessed, symbol by symbol."""

import pytest

from stepwell.compiler.lower.costs import UNKNOWN, length
from stepwell.runtime.sizes import Size


@pytest.mark.parametrize(
    ("size", "guess"),
    [("7", 7), ("0", 1), ("N", UNKNOWN), ("2*B*S + 1", 2 * UNKNOWN**2 + 1), ("N - 600", 1)],
)
def test_each_symbol_of_a_size_is_guessed(size: str, guess: int) -> None:
    assert length(Size.parse(size)) == guess
