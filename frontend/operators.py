"""Python's operators on arrays, in terms of elementwise ops after promotion and broadcasting."""

import abc
from typing import Any, Self


class Operators(abc.ABC):
    """An array's operators: NumPy's, with its broadcasting and the array API's dtypes."""

    __slots__ = ()

    @abc.abstractmethod
    def _elementwise(self, mnemonic: str, *operands: Any) -> Self:
        """An elementwise op of arrays, numbers and sizes, promoted and broadcast."""

    @abc.abstractmethod
    def _quotient(self, x: Any, y: Any) -> Self:
        """x / y; integers are converted to floats first."""

    @abc.abstractmethod
    def _floor_quotient(self, x: Any, y: Any) -> Self:
        """The floor of x / y."""

    @abc.abstractmethod
    def _power(self, x: Any, y: Any) -> Self:
        """x to the y."""

    @abc.abstractmethod
    def _matmul(self, x: Any, y: Any) -> Self:
        """Sums of products over the last axis of x and the last but one of y."""

    def __pos__(self) -> Self:
        return self

    def __neg__(self) -> Self:
        return self._elementwise("neg", self)

    def __abs__(self) -> Self:
        return self._elementwise("abs", self)

    def __invert__(self) -> Self:
        return self._elementwise("not", self)

    def __add__(self, other: Any) -> Self:
        return self._elementwise("add", self, other)

    def __radd__(self, other: Any) -> Self:
        return self._elementwise("add", other, self)

    def __sub__(self, other: Any) -> Self:
        return self._elementwise("sub", self, other)

    def __rsub__(self, other: Any) -> Self:
        return self._elementwise("sub", other, self)

    def __mul__(self, other: Any) -> Self:
        return self._elementwise("mul", self, other)

    def __rmul__(self, other: Any) -> Self:
        return self._elementwise("mul", other, self)

    def __truediv__(self, other: Any) -> Self:
        return self._quotient(self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._quotient(other, self)

    def __floordiv__(self, other: Any) -> Self:
        return self._floor_quotient(self, other)

    def __rfloordiv__(self, other: Any) -> Self:
        return self._floor_quotient(other, self)

    def __mod__(self, other: Any) -> Self:
        return self - self._floor_quotient(self, other) * other

    def __rmod__(self, other: Any) -> Self:
        return other - self._floor_quotient(other, self) * self

    def __divmod__(self, other: Any) -> tuple[Self, Self]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Self, Self]:
        return other // self, other % self

    def __pow__(self, other: Any) -> Self:
        return self._power(self, other)

    def __rpow__(self, other: Any) -> Self:
        return self._power(other, self)

    def __matmul__(self, other: Any) -> Self:
        return self._matmul(self, other)

    def __rmatmul__(self, other: Any) -> Self:
        return self._matmul(other, self)

    def __and__(self, other: Any) -> Self:
        return self._elementwise("and", self, other)

    def __rand__(self, other: Any) -> Self:
        return self._elementwise("and", other, self)

    def __or__(self, other: Any) -> Self:
        return self._elementwise("or", self, other)

    def __ror__(self, other: Any) -> Self:
        return self._elementwise("or", other, self)

    def __xor__(self, other: Any) -> Self:
        return (self | other) & ~(self & other)

    def __rxor__(self, other: Any) -> Self:
        return self ^ other

    def __lshift__(self, other: Any) -> Self:
        return self._elementwise("shift_left", self, other)

    def __rlshift__(self, other: Any) -> Self:
        return self._elementwise("shift_left", other, self)

    def __rshift__(self, other: Any) -> Self:
        return self._elementwise("shift_right", self, other)

    def __rrshift__(self, other: Any) -> Self:
        return self._elementwise("shift_right", other, self)

    def __lt__(self, other: Any) -> Self:
        return self._elementwise("lt", self, other)

    def __le__(self, other: Any) -> Self:
        return self._elementwise("le", self, other)

    def __gt__(self, other: Any) -> Self:
        return self._elementwise("gt", self, other)

    def __ge__(self, other: Any) -> Self:
        return self._elementwise("ge", self, other)

    def __eq__(self, other: object) -> Any:
        """An array of booleans, where Python's rule is one boolean: hence the type Any."""
        return self._elementwise("eq", self, other)

    def __ne__(self, other: object) -> Any:
        return self._elementwise("ne", self, other)

    def __hash__(self) -> int:
        raise TypeError("an Array is not hashable: == compares its elements")
