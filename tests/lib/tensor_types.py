"""Tensor types as tests write them: `f64[3,B]`."""

from stepwell.compiler.dialects.nd import Tensor, tensor
from stepwell.runtime.sizes import Size


def tensor_of(text: str) -> Tensor:
    """The type of a dtype and sizes without commas in them."""
    dtype, _, rest = text.removesuffix("]").partition("[")
    return tensor(dtype, tuple(Size.parse(each) for each in rest.split(",") if each.strip()))
