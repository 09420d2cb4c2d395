"""Logging: one line an event, in logfmt-like pairs, to standard error. Events carry opaque ids and counts, never names or paths."""

import logging
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor


def configure(process: str) -> None:
    """Sends this process's events, and the warnings of the libraries it uses, to standard error; call once at its start.

    Libraries' records and warnings are cut to where they come from and of what kind they are: their words may quote a file name or header.
    """
    structlog.configure(
        processors=[
            _of(process),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "process", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, _Heedless())),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Anonymous())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    warnings.showwarning = _show_warning
    sys.unraisablehook = _show_unraisable


def _of(process: str) -> Processor:
    # not a context variable: threads do not inherit those
    def name(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return name


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    structlog.get_logger().warning("warning of a library", kind=category.__name__, at=f"{Path(filename).stem}:{lineno}")


def _show_unraisable(ignored: "sys.UnraisableHookArgs") -> None:
    structlog.get_logger().warning("an error was ignored", error=ignored.exc_type.__name__)


class _Heedless:
    """Standard error, where a line is lost that cannot be written: on a full disk, what a line tells of must not end with it."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a full disk; a file that was closed
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


class _Anonymous(logging.Formatter):
    """Tells that a library complained, and where in its code, without its words."""

    def format(self, record: logging.LogRecord) -> str:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "-"
        return f"level={record.levelname.lower()} library={record.name} at={record.module}:{record.lineno} error={kind}"
