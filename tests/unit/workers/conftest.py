"""Engines that convert the shipped networks once for all tests."""

import pytest

from models.engines.choose import Engines
from models.registry import shipped, shipped_admission
from tests.networks import keep, lend


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Engines:
    folder = tmp_path_factory.mktemp("cache") / "networks"
    lend(folder)
    made = Engines("auto", folder)
    made.prepare([place for files in (*shipped().values(), shipped_admission()) for place in files.places])
    keep(folder)
    return made
