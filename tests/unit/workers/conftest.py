"""Runtimes of the shipped networks, converted once for all tests."""

import pytest

from models.runtimes.choice import RuntimeChoice
from tests.networks import lend


@pytest.fixture(scope="session")
def runtime_choice(tmp_path_factory: pytest.TempPathFactory) -> RuntimeChoice:
    folder = tmp_path_factory.mktemp("cache") / "networks"
    lend(folder)
    return RuntimeChoice("auto", folder)
