"""NumPy's methods on arrays, in terms of one op after another."""

import abc
from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeAlias

from stepwell.compiler.dialects.nd import is_float, text_of
from stepwell.compiler.dialects.nd import Tensor
from stepwell.compiler.dialects.sizes import Shape, count_of
from stepwell.indexing import ZERO, Selection, normal_axes, normal_axis, parse
from stepwell.operators import Operators
from stepwell.places import pointing_at_the_user
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size
from stepwell.trace import known_ranges

Axes: TypeAlias = int | Sequence[int] | None


class Methods(Operators, abc.ABC):
    """Movement, reductions and indexing. `axis=None` stands for all axes."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def type(self) -> Tensor:
        """The dtype and the sizes as the tensor level has them."""

    @property
    @abc.abstractmethod
    def sizes(self) -> Shape:
        """The shape as sizes, whether they are known or not."""
