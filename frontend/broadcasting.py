"""Broadcasting: which shapes go together, and along which axes an array repeats."""

from stepwell.compiler.dialects.sizes import Shape, shape_text
from stepwell.indexing import ONE
from stepwell.places import user_line
from stepwell.runtime.errors import CompileError
from stepwell.runtime.sizes import Size


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The common shape. A symbolic size is not taken to be one. Raises CompileError (SW0106)."""
    rank = max(map(len, shapes), default=0)
    padded = [(ONE,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(_common(sizes, shapes) for sizes in zip(*padded, strict=True))


def _common(sizes: tuple[Size, ...], shapes: tuple[Shape, ...]) -> Size:
    others = list(dict.fromkeys(size for size in sizes if size != ONE))
    if len(others) > 1:
        raise CompileError(
            "SW0106",
            f"the shapes {' and '.join(map(shape_text, shapes))} do not broadcast together",
            details=[f"{others[0]} meets {others[1]}"],
            hint="sizes must be equal, or 1; reshape one of the arrays",
            where=user_line(),
        )
    return others[0] if others else ONE


def broadcast_axes(shape: Shape, target: Shape) -> tuple[Shape, tuple[int, ...]]:
    """The sizes that an array keeps when it is repeated to `target`, and the axes they become."""
    common = broadcast_shapes(shape, target)
    if common != target:
        raise CompileError(
            "SW0106",
            f"the shapes {shape_text(shape)} and {shape_text(target)} do not broadcast together",
            details=["the second is to be the shape of the result"],
            where=user_line(),
        )
    offset = len(target) - len(shape)
    kept = [axis for axis, size in enumerate(shape) if size == target[offset + axis]]
    return tuple(shape[axis] for axis in kept), tuple(offset + axis for axis in kept)
