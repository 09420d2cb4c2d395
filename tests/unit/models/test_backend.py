"""Keras is imported without TensorFlow's words on standard error, and without losing anybody else's."""

import logging
import os

import pytest

from models import backend

_GREETING = b"""\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795305858.168901   30700 port.cc:153] oneDNN custom operations are on. You may see slightly different numerical results
"""


def _broken_import() -> None:
    with backend.without_greeting():
        os.write(2, b"a worker's line\n" + _GREETING + b"the end")
        raise ImportError


def test_import_keeps_lines_of_others_and_raises_its_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError):
        _broken_import()
    assert capfd.readouterr().err == "a worker's line\nthe end"


def test_tensorflow_gives_no_advice() -> None:
    assert not logging.getLogger("tensorflow").isEnabledFor(logging.WARNING)
