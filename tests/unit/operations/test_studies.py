"""A study is named by people, who may mistype it."""

import pytest

from lungline.errors import LedgerError
from lungline.settings import load
from operations.studies import find_studies, finish_study


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("key", ["0123456789abcdef", "\udcff"])
def test_a_study_that_is_not_there_is_said_to_be_so(key: str) -> None:
    assert find_studies(load(), key) == []
    with pytest.raises(LedgerError, match="no such study"):
        finish_study(load(), key)
