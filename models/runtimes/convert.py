"""Converts members for OpenVINO, as a process of its own, started by models/runtimes/cache.py, where question and answer are described."""

import tempfile
from pathlib import Path
from typing import Any

from lungline.child_process import answer_parent
from models.backend import keras
from models.files import Member, read_member
from models.runtimes import agreement, cache
from models.runtimes.cache import ConversionErrors, ConversionOrder, Converted
from models.runtimes.keras import KerasRuntime, load_network
from models.runtimes.openvino import openvino


def convert_member(member: Member) -> Converted:
    """Loads a member's network, converts it, and notes what it answers to the drawn pictures.

    Raises:
        ModelError: its weights are missing, damaged, or do not fit.
        Exception: what TensorFlow and OpenVINO raise for a network that they cannot convert.
    """
    network = load_network(member)
    with tempfile.TemporaryDirectory() as folder:
        return Converted(*convert_network(network, Path(folder)), KerasRuntime(network).run(agreement.draw_pictures(member.preprocess)))


def freeze(network: keras.Model, batch: int | None) -> Any:
    """TensorFlow's function of a network, all its weights constants in its graph, for batches of one size, or of any (None)."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shape = (batch, *network.input_shape[1:])
    call = tf.function(lambda batch: network(batch, training=False), input_signature=[tf.TensorSpec(shape, tf.float32)])
    return convert_variables_to_constants_v2(call.get_concrete_function())


def convert_network(network: keras.Model, folder: Path) -> tuple[bytes, bytes]:
    """A network in OpenVINO's format, by way of `folder`: the reading of a frozen graph. `openvino.convert_model` is what reports."""
    from openvino.frontend import FrontEndManager

    graph = folder / "frozen.pb"
    graph.write_bytes(freeze(network, 1).graph.as_graph_def().SerializeToString())
    frontend = FrontEndManager().load_by_framework("tf")
    network_file = folder / "network.xml"
    openvino.save_model(frontend.convert(frontend.load(str(graph))), network_file, compress_to_fp16=False)
    return network_file.read_bytes(), network_file.with_suffix(".bin").read_bytes()


def convert(order: ConversionOrder) -> ConversionErrors:
    """Puts the converted networks into the cache."""
    kinds: dict[str, str] = {}
    for folder in order.members:
        member = read_member(folder)
        try:
            cache.keep(order.cache, member, convert_member(member))
        except Exception as error:
            kinds[member.version] = type(error).__name__
    return ConversionErrors(kinds=kinds)


if __name__ == "__main__":
    answer_parent(ConversionOrder, convert)
