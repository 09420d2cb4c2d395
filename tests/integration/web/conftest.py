"""A page for each test."""

from collections.abc import Iterator

import pytest

from lungline.settings import load
from tests.pages import PageServer, serving


@pytest.fixture
def page() -> Iterator[PageServer]:
    """The page of this test's home."""
    with serving(load()) as server:
        yield server
