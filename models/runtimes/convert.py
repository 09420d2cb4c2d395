"""Converts members for OpenVINO, as a process of its own: `python -m models.runtimes.convert CACHE`, started by models/runtimes/cache.py.

Standard input holds a JSON list of members' folders; the last line of standard output a JSON object of their versions, each with the
kind of error that kept it from being converted, or with nothing.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from models.backend import keras
from models.files import Member, read_member
from models.runtimes import agreement, cache
from models.runtimes.cache import Converted
from models.runtimes.keras import KerasRuntime, load_network
from models.runtimes.openvino import openvino


def converted(member: Member) -> Converted:
    """Loads a member's network and converts it; asks it what it answers to the drawn pictures.

    Raises:
        ModelError: its weights are missing, damaged, or do not fit.
        Exception: what TensorFlow and OpenVINO raise for a network that they cannot convert.
    """
    network = load_network(member)
    with tempfile.TemporaryDirectory() as folder:
        return Converted(*description_and_weights(network, Path(folder)), KerasRuntime(network).run(agreement.pictures(member.preprocess)))


def frozen(network: keras.Model, batch: int | None) -> Any:
    """TensorFlow's function of a network, all its weights constants in its graph, for batches of one size, or of any (None)."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = (batch, *network.input_shape[1:])
    call = tf.function(lambda batch: network(batch, training=False), input_signature=[tf.TensorSpec(shape, tf.float32)])
    return convert_variables_to_constants_v2(call.get_concrete_function())


def description_and_weights(network: keras.Model, folder: Path) -> tuple[bytes, bytes]:
    """A network in OpenVINO's format, by way of `folder`: the reading of a frozen graph. `openvino.convert_model` is what reports."""
    from openvino.frontend import FrontEndManager

    graph = folder / "frozen.pb"
    graph.write_bytes(frozen(network, 1).graph.as_graph_def().SerializeToString())
    frontend = FrontEndManager().load_by_framework("tf")
    network_file = folder / "network.xml"
    openvino.save_model(frontend.convert(frontend.load(str(graph))), network_file, compress_to_fp16=False)
    return network_file.read_bytes(), network_file.with_suffix(".bin").read_bytes()


def main(folder: Path) -> None:
    """Converts what standard input names into `folder`."""
    errors: dict[str, str] = {}
    for name in json.load(sys.stdin):
        member = read_member(Path(name))
        try:
            cache.keep(folder, member, converted(member))
            errors[member.version] = ""
        except Exception as error:
            errors[member.version] = type(error).__name__
    print(json.dumps(errors))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
