"""What the tests' verifier remembers of one op refuses another one as before."""

import pytest
from xdsl.dialects import test
from xdsl.dialects.arith import AndIOp
from xdsl.dialects.builtin import i32
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.construct import construct


def test_another_number_is_refused_every_time() -> None:
    (value,) = test.TestOp(result_types=[i32]).results
    for _ in range(2):
        construct(AndIOp, [value, value], [i32]).verify()
        for operands, results in ((1, 1), (3, 1), (2, 0), (2, 2)):
            with pytest.raises(VerifyException, match="Expected"):
                construct(AndIOp, [value] * operands, [i32] * results).verify()
