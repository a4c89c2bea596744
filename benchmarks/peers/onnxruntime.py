"""ONNX Runtime, with inputs and outputs that stay where they are."""

from typing import Any, final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.peers import onnx_graph
from benchmarks.peers.peer import Call, Peer, threads
from benchmarks.workloads.workload import Arrays, Weights, Workload


@final
class OnnxRuntime(Peer):
    """The CPU provider with all optimizations, as is its default."""

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        self._model = onnx_graph.model(workload, weights, inputs)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads()
        options.log_severity_level = 4
        session = ort.InferenceSession(
            self._model.text, options, providers=["CPUExecutionProvider"]
        )
        binding = session.io_binding()
        for name, each in self._model.given(inputs).items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(each))
        outputs = [each.name for each in session.get_outputs()]
        for name in outputs:
            binding.bind_output(name)
        session.run_with_iobinding(binding)
        for name, each in zip(outputs, binding.get_outputs(), strict=True):
            binding.bind_ortvalue_output(name, each)

        def call() -> object:
            session.run_with_iobinding(binding)
            return binding

        return call

    def arrays(self, result: Any) -> list[NDArray[Any]]:
        return self._model.found([np.array(each.numpy()) for each in result.get_outputs()])
