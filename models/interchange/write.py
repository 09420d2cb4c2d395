"""Writes a member's network in another library's format, as a process of its own.

Started by models/interchange/export.py, so that TensorFlow and what its converters print stay out of the command. Question and answer are
in models/interchange/messages.py.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lungline.child_process import answer_parent
from models.backend import keras
from models.files import read_member
from models.interchange.messages import ExportOrder, ExportResult
from models.runtimes import Runtime, agreement
from models.runtimes.convert import convert_network, freeze
from models.runtimes.keras import KerasRuntime, load_network
from models.runtimes.openvino import OpenVinoRuntime

Array = npt.NDArray[np.float32]

_INPUT, _OUTPUT = "gray", "logits"


def write_litert(network: keras.Model, path: Path) -> None:
    """Writes a `.tflite` for one picture at a time, of LiteRT's own operations alone: no device needs TensorFlow's beside it."""
    import tensorflow as tf

    inputs = [keras.InputSpec(shape=(1, *network.input_shape[1:]), dtype="float32", name=_INPUT)]
    own = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    network.export(path, format="litert", input_signature=inputs, target_spec=own, verbose=False)


def write_onnx(network: keras.Model, path: Path) -> None:
    """Writes an `.onnx` for batches of any size. Keras' own export leaves a normalisation's constants out of the file, as more inputs."""
    import tf2onnx.convert

    function = freeze(network, None)
    ends = {function.inputs[0].name: _INPUT, function.outputs[0].name: _OUTPUT}
    names = [[name] for name in ends]
    tf2onnx.convert.from_graph_def(
        function.graph.as_graph_def(), input_names=names[0], output_names=names[1], tensors_to_rename=ends, output_path=str(path)
    )


def write_openvino(network: keras.Model, path: Path) -> None:
    """Writes an `.xml`, and a `.bin` beside it, for one picture at a time. Keras' own export would report to OpenVINO's makers."""
    description, weights = convert_network(network, path.parent)
    path.write_bytes(description)
    path.with_suffix(".bin").write_bytes(weights)


def write_savedmodel(network: keras.Model, path: Path) -> None:
    """Writes a folder as TensorFlow loads it, for batches of any size: its function `serve`."""
    network.export(path, format="tf_saved_model", verbose=False)


class _Loaded:
    """A written network, run by the library that it was written for."""

    def __init__(self, name: str, run: Callable[[Array], Array], shapes: tuple[Any, Any]) -> None:
        self.name, self.run, self.shapes = name, run, shapes

    def warm(self, batch_max: int) -> None:
        """Nothing is to be prepared."""


def run_litert(path: Path) -> _Loaded:
    """By the interpreter in TensorFlow, picture by picture."""
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    (given,), (answered,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(batch: Array) -> Array:
        answers = []
        for picture in batch:
            interpreter.set_tensor(given["index"], picture[np.newaxis])
            interpreter.invoke()
            answers.append(interpreter.get_tensor(answered["index"])[0])
        return np.stack(answers)

    return _Loaded("litert", run, (given["shape_signature"], answered["shape_signature"]))


def run_onnx(path: Path) -> _Loaded:
    """By ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,), (answered,) = session.get_inputs(), session.get_outputs()

    def run(batch: Array) -> Array:
        return np.asarray(session.run([answered.name], {given.name: batch})[0])

    return _Loaded("onnx", run, (given.shape, answered.shape))


def run_openvino(path: Path) -> _Loaded:
    """By OpenVINO in float32: whoever runs it in bf16 has to compare for themselves."""
    runtime = OpenVinoRuntime(path.read_bytes(), path.with_suffix(".bin").read_bytes(), "f32")
    return _Loaded("openvino", runtime.run, runtime.shapes)


def run_savedmodel(path: Path) -> _Loaded:
    """By TensorFlow, without Keras."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures["serving_default"]
    (given,), (answered,) = function.structured_input_signature[1].values(), function.structured_outputs.values()

    def run(batch: Array) -> Array:
        return np.asarray(loaded.serve(batch))

    return _Loaded("savedmodel", run, (given.shape, answered.shape))


# format -> how it is written, and how it is run again
FORMATS: Final[dict[str, tuple[Callable[[keras.Model, Path], None], Callable[[Path], _Loaded]]]] = {
    "litert": (write_litert, run_litert),
    "onnx": (write_onnx, run_onnx),
    "openvino": (write_openvino, run_openvino),
    "savedmodel": (write_savedmodel, run_savedmodel),
}


def write_and_compare(order: ExportOrder) -> ExportResult:
    """Writes a member's network, runs what was written by its own library, and measures how far that is from Keras.

    Raises:
        ModelError: the weights are missing, damaged, or do not fit.
        Exception: what a library raises for a network that it cannot write or run.
    """
    member = read_member(order.member)
    network = load_network(member)
    write, run = FORMATS[order.form]
    write(network, order.path)
    loaded = run(order.path)
    ran: Runtime = loaded
    reference = KerasRuntime(network).run(agreement.draw_pictures(member.preprocess))
    difference = agreement.measure_difference(ran, member.preprocess, reference, member.record.temperature)
    given, answered = (_sizes(shape) for shape in loaded.shapes)
    return ExportResult(difference=difference, input=given, output=answered)


def _sizes(shape: Any) -> tuple[int | None, ...]:
    """Libraries say a name, None or -1 where any size fits."""
    return tuple(int(size) if isinstance(size, int | np.integer) and size > 0 else None for size in shape)


if __name__ == "__main__":
    answer_parent(ExportOrder, write_and_compare)
