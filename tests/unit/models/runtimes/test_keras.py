"""The reference runtime: any batch size, few compilations, the same answer."""

import numpy as np
import pytest

from models.architectures import build
from models.backend import keras
from models.runtimes.keras import KerasRuntime


@pytest.fixture(scope="module")
def runtime() -> KerasRuntime:
    return KerasRuntime(build("small_cnn", 3), piece_max=8)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 21])
def test_a_scan_gets_the_same_answer_in_any_batch(runtime: KerasRuntime, size: int) -> None:
    pictures = np.random.default_rng(0).random((size, 96, 96, 1), np.float32)
    together = runtime.run(pictures)
    assert together.shape == (size, 3)
    assert together.dtype == np.float32
    alone = np.concatenate([runtime.run(picture[np.newaxis]) for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_an_empty_batch(runtime: KerasRuntime) -> None:
    assert runtime.run(np.zeros((0, 96, 96, 1), np.float32)).shape == (0, 3)


def test_pieces_are_powers_of_two_and_keep_the_order(runtime: KerasRuntime) -> None:
    runtime.warm(32)
    batch = np.arange(21, dtype=np.float32).reshape(21, 1, 1, 1)
    pieces = runtime._cut(batch)
    assert [len(piece) for piece in pieces] == [8, 8, 4, 1]
    np.testing.assert_array_equal(np.concatenate(pieces), batch)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts the traces of TensorFlow's functions")
def test_nothing_is_compiled_once_warm() -> None:
    network = build("small_cnn", 3)
    runtime = KerasRuntime(network, piece_max=8)
    runtime.warm(32)
    traces = network.predict_function.experimental_get_tracing_count()
    for size in range(1, 20):
        runtime.run(np.zeros((size, 96, 96, 1), np.float32))
    assert network.predict_function.experimental_get_tracing_count() == traces
