"""Networks in other libraries' formats answer as Keras does, run by those libraries themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.files import Member
from models.interchange import write
from models.interchange.messages import ExportOrder
from models.runtimes import agreement
from models.runtimes.keras import KerasRuntime, load_network


@pytest.mark.parametrize("form", write.FORMATS)
def test_each_format_answers_as_keras_does(form: str, member: Member, tmp_path: Path) -> None:
    path = tmp_path / f"network{'.tflite' if form == 'litert' else '.xml' if form == 'openvino' else '.net'}"
    answer = write.write_and_compare(ExportOrder(member=member.folder, form=form, path=path))
    assert answer.difference <= agreement.LIMIT / 10
    assert answer.input[1:] == (96, 96, 1)
    assert answer.output[1:] == (3,)
    assert answer.input[0] == (1 if form in ("litert", "openvino") else None)
    pictures = agreement.draw_pictures(member.preprocess)[:4]
    np.testing.assert_allclose(write.FORMATS[form][1](path).run(pictures), KerasRuntime(load_network(member)).run(pictures), atol=1e-4)


def test_a_litert_file_needs_nothing_of_tensorflow_beside_it(member: Member, tmp_path: Path) -> None:
    import tensorflow as tf

    path = tmp_path / "network.tflite"
    write.write_and_compare(ExportOrder(member=member.folder, form="litert", path=path))
    used = {get_ops_detail["op_name"] for get_ops_detail in tf.lite.Interpreter(str(path))._get_ops_details()}
    assert "CONV_2D" in used
    assert not [name for name in used if name.startswith(("Flex", "CUSTOM"))]


def test_constants_of_a_normalisation_stay_within_an_onnx_file(tmp_path: Path) -> None:
    import onnxruntime

    from models.architectures import build

    network = build("mobilenetv2_128", 3)
    write.write_onnx(network, tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    assert [(tensor.name, tensor.shape[1:]) for tensor in session.get_inputs()] == [("gray", [128, 128, 1])]
    assert [tensor.name for tensor in session.get_outputs()] == ["logits"]


def test_a_network_that_answers_otherwise_is_found(member: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def biased(network: Any, path: Path) -> None:
        head = network.get_layer("logits")
        kernel, bias = head.get_weights()
        head.set_weights([kernel, bias + np.array([1, 0, 0], np.float32)])
        write.write_onnx(network, path)
        head.set_weights([kernel, bias])

    monkeypatch.setitem(write.FORMATS, "onnx", (biased, write.run_onnx))
    answer = write.write_and_compare(ExportOrder(member=member.folder, form="onnx", path=tmp_path / "network.onnx"))
    assert answer.difference == pytest.approx(0.25, rel=1e-3)
