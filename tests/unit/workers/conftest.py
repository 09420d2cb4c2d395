"""Engines of the shipped networks, converted once for all tests."""

import pytest

from models.runtimes.choice import Engines
from tests.networks import lend


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Engines:
    folder = tmp_path_factory.mktemp("cache") / "networks"
    lend(folder)
    return Engines("auto", folder)
