"""What programs are written in to become an ONNX model, for the runtimes that take those.

ONNX has images with channels first. A value remembers how its four axes lie, so that a model has
them so throughout, and its inputs and outputs, too.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.peers.peer import UnsupportedError, leaves
from benchmarks.workloads.workload import Arrays, Weights, Workload

OPSET, IR_VERSION = 20, 9
TYPES = {
    "f": TensorProto.FLOAT,
    "l": TensorProto.INT64,
    "b": TensorProto.INT8,
    "B": TensorProto.UINT8,
}
CHANNELS_FIRST, CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(frozen=True)
class Model:
    """The model in ONNX's bytes, and which of its inputs and results have channels first."""

    text: bytes
    inputs: Mapping[str, bool]
    results: Sequence[bool]

    def given(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """The inputs as the model wants them."""
        return {
            name: np.ascontiguousarray(each.transpose(CHANNELS_FIRST) if first else each)
            for (name, first), each in zip(self.inputs.items(), inputs, strict=True)
        }

    def found(self, results: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The results as everyone else has them."""
        pairs = zip(results, self.results, strict=True)
        return [each.transpose(CHANNELS_LAST) if first else each for each, first in pairs]


def model(workload: Workload, weights: Weights, inputs: Arrays) -> Model:
    """Raises UnsupportedError where the words do not do."""
    if workload.training:
        raise UnsupportedError("no derivatives")
    graph = Graph()
    values = {name: Value(graph, name, each.shape, constant=each) for name, each in weights.items()}
    given = [Value(graph, f"input.{n}", each.shape, is_input=True) for n, each in enumerate(inputs)]
    graph.first = {each.name: False for each in given}
    results = leaves(workload.program(graph.words(), values, *given))
    infos = [
        helper.make_tensor_value_info(
            value.name, TYPES[each.dtype.char], graph.order(value.name, each.shape)
        )
        for value, each in zip(given, inputs, strict=True)
    ]
    made = helper.make_graph(
        graph.nodes,
        "main",
        infos,
        [helper.make_tensor_value_info(each.name, each.type, None) for each in results],
        list(graph.constants.values()),
    )
    whole = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
    whole.ir_version = IR_VERSION
    return Model(whole.SerializeToString(), graph.first, [each.first for each in results])


@final
@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph. `shape` is in the order of the program, `first` says how it lies."""

    graph: "Graph"
    name: str
    shape: tuple[int, ...]
    first: bool = False
    constant: NDArray[Any] | None = None
    is_input: bool = False
    type: int = TensorProto.FLOAT

    def __add__(self, other: Any) -> "Value":
        return self.graph.binary("Add", self, other)

    def __radd__(self, other: Any) -> "Value":
        return self.graph.binary("Add", other, self)

    def __sub__(self, other: Any) -> "Value":
        return self.graph.binary("Sub", self, other)

    def __mul__(self, other: Any) -> "Value":
        return self.graph.binary("Mul", self, other)

    def __rmul__(self, other: Any) -> "Value":
        return self.graph.binary("Mul", other, self)

    def __truediv__(self, other: Any) -> "Value":
        return self.graph.binary("Div", self, other)

    def __neg__(self) -> "Value":
        return self.graph.unary("Neg", self)

    def __matmul__(self, other: "Value") -> "Value":
        shape = _product_shape(self.shape, other.shape)
        return self.graph.node("MatMul", [self, other], shape)

    def __getitem__(self, index: Any) -> "Value":
        """Only new axes."""
        if not all(each is None or each == slice(None) for each in index):
            raise UnsupportedError("no slices")
        axes = [axis for axis, each in enumerate(index) if each is None]
        shape = iter(self.shape)
        return self.graph.node(
            "Unsqueeze",
            [self, self.graph.integers(axes)],
            tuple(1 if each is None else next(shape) for each in index),
        )


@final
class Graph:
    """Nodes and constants, as the program makes them."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.first: dict[str, bool] = {}
        self._numbers = itertools.count()

    def words(self) -> SimpleNamespace:
        unary = {
            name: self._unary_word(op)
            for name, op in {
                "exp": "Exp",
                "log": "Log",
                "sqrt": "Sqrt",
                "tanh": "Tanh",
                "erf": "Erf",
                "relu": "Relu",
                "gelu": "Gelu",
            }.items()
        }
        own = (
            "byte_product",
            "sum",
            "mean",
            "transpose",
            "reshape",
            "concat",
            "softmax",
            "logsumexp",
        )
        more = ("layer_norm", "take", "part", "row", "split", "attention", "conv2d", "max_pool")
        methods = {name: getattr(self, name) for name in (*own, *more, "lstm", "byte_product")}
        return SimpleNamespace(**unary, **methods, repeat=_no_loops, mandelbrot=_no_loops)

    def _unary_word(self, op: str) -> Callable[[Value], Value]:
        return lambda x: self.unary(op, x)

    # How nodes are made.

    def node(
        self, op: str, inputs: Sequence[Value], shape: tuple[int, ...], **attributes: Any
    ) -> Value:
        """A node whose values all have channels last."""
        return self._node(op, [self.last(each) for each in inputs], shape, False, attributes)

    def _node(
        self,
        op: str,
        inputs: Sequence[Value | None],
        shape: tuple[int, ...],
        first: bool,
        attributes: Mapping[str, Any],
    ) -> Value:
        name = f"value.{len(self.nodes)}"
        names = ["" if each is None else self._known(each) for each in inputs]
        self.nodes.append(helper.make_node(op, names, [name], **attributes))
        return Value(self, name, shape, first)

    def _known(self, value: Value) -> str:
        if value.constant is not None and value.name not in self.constants:
            self.constants[value.name] = numpy_helper.from_array(value.constant, value.name)
        return value.name

    def constant(self, array: NDArray[Any]) -> Value:
        name = f"constant.{next(self._numbers)}"
        return Value(self, name, array.shape, constant=array)

    def integers(self, numbers: Sequence[int]) -> Value:
        return self.constant(np.array(numbers, np.int64))

    def last(self, value: Value) -> Value:
        if not value.first:
            return value
        return self._node("Transpose", [value], value.shape, False, {"perm": CHANNELS_LAST})

    def channels_first(self, value: Value) -> Value:
        """An input of the model is made to lie so, unless something else has used it."""
        if value.first:
            return value
        if value.is_input and not any(value.name in node.input for node in self.nodes):
            self.first[value.name] = True
        if self.first.get(value.name):
            return Value(self, value.name, value.shape, True)
        return self._node("Transpose", [value], value.shape, True, {"perm": CHANNELS_FIRST})

    def order(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(shape[axis] for axis in CHANNELS_FIRST) if self.first[name] else shape

    # Elements.

    def unary(self, op: str, x: Value) -> Value:
        return self._node(op, [x], x.shape, x.first, {})

    def binary(self, op: str, x: Any, y: Any) -> Value:
        x, y = (
            each if isinstance(each, Value) else self.constant(np.asarray(each, np.float32))
            for each in (x, y)
        )
        shape = np.broadcast_shapes(x.shape, y.shape)
        if x.first and y.first:
            return self._node(op, [x, y], shape, True, {})
        return self.node(op, [x, y], shape)

    def byte_product(self, x: Value, y: Value) -> Value:
        made = self.node("MatMulInteger", [x, y], _product_shape(x.shape, y.shape))
        return replace(made, type=TensorProto.INT32)

    # Axes.

    def sum(self, x: Value, axis: int) -> Value:
        return self._reduced("ReduceSum", x, (axis,))

    def mean(self, x: Value, axes: tuple[int, ...]) -> Value:
        return self._reduced("ReduceMean", x, axes)

    def logsumexp(self, x: Value) -> Value:
        return self._reduced("ReduceLogSumExp", x, (len(x.shape) - 1,))

    def _reduced(self, op: str, x: Value, axes: tuple[int, ...]) -> Value:
        lying = [CHANNELS_FIRST.index(axis) if x.first else axis for axis in axes]
        shape = tuple(size for axis, size in enumerate(x.shape) if axis not in axes)
        return self._node(op, [x, self.integers(lying)], shape, False, {"keepdims": 0})

    def transpose(self, x: Value, axes: Sequence[int]) -> Value:
        if x.constant is not None:
            return self.constant(np.ascontiguousarray(x.constant.transpose(axes)))
        return self.node("Transpose", [x], tuple(x.shape[axis] for axis in axes), perm=axes)

    def reshape(self, x: Value, shape: tuple[int, ...]) -> Value:
        return self.node("Reshape", [x, self.integers(shape)], shape)

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        shape = list(values[0].shape)
        shape[axis] = sum(each.shape[axis] for each in values)
        return self.node("Concat", values, tuple(shape), axis=axis)

    def take(self, table: Value, indices: Value) -> Value:
        return self.node("Gather", [table, indices], (*indices.shape, *table.shape[1:]))

    def part(self, x: Value, begin: int, end: int) -> Value:
        assert x.constant is not None
        return self.constant(x.constant[begin:end])

    def row(self, x: Value, index: int) -> Value:
        place = self.constant(np.array(index, np.int64))
        return self.node("Gather", [x, place], x.shape[1:], axis=0)

    def split(self, x: Value, count: int) -> list[Value]:
        name = f"value.{len(self.nodes)}"
        shape = (*x.shape[:-1], x.shape[-1] // count)
        names = [f"{name}.{number}" for number in range(count)]
        node = helper.make_node("Split", [x.name], names, axis=-1, num_outputs=count)
        self.nodes.append(node)
        return [Value(self, each, shape) for each in names]

    # Rows and attention.

    def softmax(self, x: Value) -> Value:
        return self.node("Softmax", [x], x.shape, axis=-1)

    def layer_norm(self, x: Value, scale: Value, shift: Value) -> Value:
        return self.node("LayerNormalization", [x, scale, shift], x.shape, axis=-1, epsilon=1e-5)

    def attention(self, query: Value, key: Value, value: Value, causal: bool) -> Value:
        scores = query @ self.transpose(key, (0, 1, 3, 2)) * query.shape[-1] ** -0.5
        if causal:
            length = query.shape[-2]
            mask = np.where(np.tri(length, dtype=bool), 0, -np.inf).astype(np.float32)
            scores = scores + self.constant(mask)
        return self.softmax(scores) @ value

    # Images.

    def conv2d(self, x: Value, weight: Value, bias: Value, stride: int, padding: int) -> Value:
        assert weight.constant is not None
        batch, height, width, _ = x.shape
        turned = self.constant(np.ascontiguousarray(weight.constant.transpose(3, 2, 0, 1)))
        shape = (batch, height // stride, width // stride, weight.shape[3])
        inputs = [self.channels_first(x), turned, bias]
        attributes = {"strides": [stride] * 2, "pads": [padding] * 4}
        return self._node("Conv", inputs, shape, True, attributes)

    def max_pool(self, x: Value, size: int, stride: int, padding: int) -> Value:
        batch, height, width, channels = x.shape
        shape = (batch, height // stride, width // stride, channels)
        attributes = {
            "kernel_shape": [size] * 2,
            "strides": [stride] * 2,
            "pads": [padding] * 4,
        }
        return self._node("MaxPool", [self.channels_first(x)], shape, True, attributes)

    # The LSTM.

    def lstm(self, x: Value, weights: Mapping[str, Value], layers: int) -> Value:
        """ONNX has the steps first and its gates in the order input, output, forget, cell."""
        batch, steps, _ = x.shape
        x = self.transpose(x, (1, 0, 2))
        for layer in range(layers):
            parts = (_reordered(weights[f"{layer}.{part}"]) for part in ("input", "hidden", "bias"))
            input, hidden, bias = parts
            size = hidden.shape[1]
            both = np.concatenate([bias, np.zeros_like(bias)])
            given = [x, *(self.constant(each[None]) for each in (input, hidden, both))]
            y = self.node("LSTM", given, (steps, 1, batch, size), hidden_size=size)
            x = self.reshape(y, (steps, batch, size))
        return self.transpose(x, (1, 0, 2))


def _reordered(weight: Value) -> NDArray[Any]:
    assert weight.constant is not None
    enter, forget, cell, leave = np.split(weight.constant, 4)
    return np.concatenate([enter, leave, forget, cell])


def _product_shape(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
    if len(y) == 1:
        return x[:-1]
    return (*np.broadcast_shapes(x[:-2], y[:-2]), x[-2], y[-1])


def _no_loops(*given: Any) -> Any:
    raise UnsupportedError("no loops")
