"""OpenVINO in f32: by itself it would take bf16 where the processor has it."""

from typing import Any, final

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from benchmarks.peers import onnx_graph
from benchmarks.peers.peer import Call, Peer, threads
from benchmarks.workloads.workload import Arrays, Weights, Workload


@final
class OpenVino(Peer):
    """A request that keeps its inputs and outputs."""

    def prepare(self, workload: Workload, weights: Weights, inputs: Arrays) -> Call:
        self._model = onnx_graph.model(workload, weights, inputs)
        engine = ov.Core()
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads(),
        }
        read = engine.read_model(self._model.text)
        request = engine.compile_model(read, "CPU", options).create_infer_request()
        for place, each in enumerate(self._model.given(inputs).values()):
            request.set_input_tensor(place, ov.Tensor(each))

        def call() -> object:
            request.infer()
            return request

        return call

    def arrays(self, result: Any) -> list[NDArray[Any]]:
        return self._model.found([np.array(each.data) for each in result.output_tensors])
