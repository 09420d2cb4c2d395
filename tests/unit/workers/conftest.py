"""Engines that convert the shipped networks once for all tests."""

import pytest

from models.engines.choose import Engines


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Engines:
    return Engines("auto", tmp_path_factory.mktemp("networks"))
