"""Logs carry our events, and of a library's complaint only where it came from: its words may quote a file or a patient."""

import json
import os
import re
import subprocess
import sys
from typing import Any

_PLANTED = "MUELLER^ANNA 1950-01-01 /inbox/mueller_anna.dcm"


def _log_of(program: str, log_format: str = "auto") -> str:
    begin = f"from lungline import log; log.configure('watch', {log_format!r})\nplanted = {_PLANTED!r}\n"
    done = subprocess.run([sys.executable, "-c", begin + program], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == ""
    return done.stderr


def _events_of(program: str) -> list[dict[str, Any]]:
    logged = _log_of(program)
    assert "mueller" not in logged.lower()
    assert "Traceback" not in logged
    return [json.loads(line) for line in logged.splitlines()]


_TAKEN_IN = "import structlog\nstructlog.get_logger().info('taken in', files=3, names=['a'], first=None, is_new=True)"


def test_an_event_is_one_json_object_where_nobody_looks() -> None:
    (event,) = _events_of(_TAKEN_IN)
    assert list(event)[:4] == ["timestamp", "level", "process", "event"]
    assert event.pop("timestamp").startswith("20")
    assert event == {
        "level": "info", "process": "watch", "event": "taken in", "files": 3, "names": ["a"], "first": None, "is_new": True
    }  # fmt: skip


def test_an_event_is_one_line_of_logfmt_on_a_terminal() -> None:
    reader, writer = os.openpty()
    begin = "from lungline import log; log.configure('watch')\n"
    subprocess.run([sys.executable, "-c", begin + _TAKEN_IN], stderr=writer, timeout=60, check=True)
    os.close(writer)
    with os.fdopen(reader) as terminal:
        line = terminal.readline().strip()
    assert re.fullmatch(r'timestamp=20\S+Z level=info process=watch event="taken in" files=3 names=\[\'a\'\] first= is_new=true', line)


def test_either_form_can_be_asked_for() -> None:
    assert 'event="taken in"' in _log_of(_TAKEN_IN, "logfmt")
    assert json.loads(_log_of(_TAKEN_IN, "json"))["event"] == "taken in"


def test_a_library_complains_without_its_words() -> None:
    (event,) = _events_of("import logging\nlogging.getLogger('pydicom').warning('invalid value in %s', planted)")
    assert (event["library"], event["level"], event["process"]) == ("pydicom", "warning", "watch")
    assert "error" not in event


def test_a_librarys_exception_is_logged_by_its_type_alone() -> None:
    (event,) = _events_of(
        "import logging\ntry: raise ValueError(planted)\nexcept ValueError: logging.getLogger('celery').exception(planted)"
    )
    assert (event["error"], event["level"]) == ("ValueError", "error")


def test_a_librarys_warning_is_logged_by_its_kind_alone() -> None:
    (event,) = _events_of("import warnings\nwarnings.warn(planted, RuntimeWarning)")
    assert event["kind"] == "RuntimeWarning"


def test_unraisable_error_is_logged_by_its_type_alone() -> None:
    (event,) = _events_of("class Gone:\n    def __del__(self):\n        raise ValueError(planted)\nGone()")
    assert event["error"] == "ValueError"


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
