"""Logging: one line an event, as logfmt or JSON, to standard error. Events carry opaque ids and counts, never names or paths."""

import logging
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

LogFormat = Literal["auto", "logfmt", "json"]

_FIRST: Final = ("timestamp", "level", "process", "event")


def configure(process: str, log_format: LogFormat = "auto") -> None:
    """Sends this process's events, and the warnings of the libraries it uses, to standard error; call once at its start.

    Libraries' records and warnings are cut to where they come from and of what kind they are: their words may quote a file name or header.

    Args:
        process: named in each line.
        log_format: `auto` writes logfmt for a person at a terminal, and one JSON object a line for all else.
    """
    is_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    logfmt, json_lines = structlog.processors.LogfmtRenderer(bool_as_flag=False), structlog.processors.JSONRenderer(default=str)
    structlog.configure(
        processors=[
            _of(process),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _in_order,
            json_lines if is_json else logfmt,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, _Heedless())),
        cache_logger_on_first_use=False,
    )
    handler = _Anonymous()
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


def _in_order(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {**{name: event[name] for name in _FIRST}, **event}


class _Heedless:
    """Standard error, where a line is lost that cannot be written: on a full disk, what a line tells of must not end with it."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a full disk; a file that was closed
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


class _Anonymous(logging.Handler):
    """Tells that a library complained, and where in its code, without its words."""

    def emit(self, record: logging.LogRecord) -> None:
        kind = {"error": record.exc_info[0].__name__} if record.exc_info and record.exc_info[0] else {}
        write = structlog.get_logger().error if record.levelno >= logging.ERROR else structlog.get_logger().warning
        write("a library complains", library=record.name, at=f"{record.module}:{record.lineno}", **kind)
