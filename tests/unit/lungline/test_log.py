"""Logs carry our events, and of a library's complaint only where it came from: its words may quote a file or a patient."""

import subprocess
import sys

_PLANTED = "MUELLER^ANNA 1950-01-01 /inbox/mueller_anna.dcm"


def _log_of(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"from lungline import log; log.configure('watch')\nplanted = {_PLANTED!r}\n{program}"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr


def test_an_event_is_one_line_with_process_level_and_time() -> None:
    (line,) = _log_of("import structlog\nstructlog.get_logger().info('taken in', files=3)").splitlines()
    assert "process='watch'" in line
    assert "event='taken in'" in line
    assert "files=3" in line
    assert "level='info'" in line
    assert "timestamp='20" in line


def test_a_library_complains_without_its_words() -> None:
    logged = _log_of("import logging\nlogging.getLogger('pydicom').warning('invalid value in %s', planted)")
    assert "library=pydicom" in logged
    assert "level=warning" in logged
    assert "MUELLER" not in logged
    assert "mueller" not in logged


def test_a_librarys_exception_is_told_by_its_type_alone() -> None:
    logged = _log_of("import logging\ntry: raise ValueError(planted)\nexcept ValueError: logging.getLogger('celery').exception(planted)")
    assert "error=ValueError" in logged
    assert "Traceback" not in logged
    assert "mueller" not in logged.lower()


def test_a_librarys_warning_is_told_by_its_kind_alone() -> None:
    logged = _log_of("import warnings\nwarnings.warn(planted, RuntimeWarning)")
    assert "kind='RuntimeWarning'" in logged
    assert "mueller" not in logged.lower()


def test_unraisable_error_is_logged_by_its_type_alone() -> None:
    logged = _log_of("class Gone:\n    def __del__(self):\n        raise ValueError(planted)\nGone()")
    assert "error='ValueError'" in logged
    assert "mueller" not in logged.lower()


def test_what_libraries_find_merely_interesting_is_left_out() -> None:
    assert _log_of("import logging\nlogging.getLogger('celery').info('hello')") == ""


def test_a_line_that_cannot_be_written_ends_nothing() -> None:
    program = """
import os, structlog
from lungline.progress import say
os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
structlog.get_logger().info("lost")
say("lost, too")
os.write(1, b"went on")
"""
    done = subprocess.run(
        [sys.executable, "-c", f"from lungline import log; log.configure('watch'){program}"], capture_output=True, timeout=300, check=False
    )
    assert done.stdout == b"went on"
