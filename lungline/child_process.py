"""A Python process that is asked one question and gives one answer, both JSON: how it is started, bounded, read and ended.

The parent runs `python -m MODULE PARENT` and writes the question as one line to its standard input. The last line of its standard output is
the reply; what libraries print before it is ignored. The child ends with its parent, and leaves nothing running that it started itself.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from lungline.errors import ChildError, LunglineError
from lungline.parent import die_with

Question = TypeVar("Question", bound=BaseModel)
Answer = TypeVar("Answer", bound=BaseModel)

_EXIT_SECONDS: Final = 30.0


class _Reply(BaseModel):
    """The last line of a child's standard output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: JsonValue = None
    error: str | None = None  # the type of what was raised
    sentence: str | None = None  # of an error of our own, whose words quote no file


class ChildProcess(Generic[Answer]):
    """A child at work. As a context manager it kills the child, and all that the child started, on the way out."""

    def __init__(
        self,
        module: str,
        question: BaseModel,
        answer: type[Answer],
        *,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        quiet: bool = True,
    ) -> None:
        """Starts `python -m MODULE`.

        Args:
            module: calls `answer_parent` when it is run.
            question: what it is asked.
            answer: what it answers with.
            environment: variables that it gets beside this process's own.
            prefix: of the command line, such as `ionice` and its arguments.
            quiet: drops what it writes to standard error; otherwise that goes where this process's own goes.

        Raises:
            ChildError: it cannot be started.
        """
        self._answer = answer
        self._question: bytes | None = question.model_dump_json().encode() + b"\n"
        try:
            self._process = subprocess.Popen(
                # -P: a folder named like one of our packages, in the folder that this was started in, must not stand in for it
                [*prefix, sys.executable, "-P", "-m", module, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL if quiet else None,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        except OSError as error:
            raise ChildError(type(error).__name__) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def wait(self, seconds: float) -> Answer | None:
        """Waits for the answer, `seconds` at most; None while the child still works. The first call hands over the question.

        Raises:
            ChildError: the child ended without an answer, or with an error.
        """
        try:
            output = self._process.communicate(self._question, timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            self._question = None  # `communicate` has it, and goes on with it
            return None
        if self._process.returncode != 0:
            raise ChildError(f"exit {self._process.returncode}")
        try:
            reply = _Reply.model_validate_json(output.splitlines()[-1])
            if reply.error is None:
                return self._answer.model_validate(reply.answer)
        except (IndexError, ValidationError):
            raise ChildError("no answer") from None
        raise ChildError(reply.error, reply.sentence)

    def kill(self) -> None:
        """Ends the child with all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_EXIT_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what it did not read of its question is lost
                if pipe is not None:
                    pipe.close()


def ask(module: str, question: BaseModel, answer: type[Answer], *, seconds: float, environment: Mapping[str, str] | None = None) -> Answer:
    """Starts a child, waits for its answer, and ends it.

    Args:
        module: as for `ChildProcess`, like `question`, `answer` and `environment`.
        seconds: that it may take.

    Raises:
        ChildError: it could not be started, took too long, ended without an answer, or ended with an error.
    """
    with ChildProcess(module, question, answer, environment=environment) as child:
        answered = child.wait(seconds)
    if answered is None:
        raise ChildError(TimeoutError.__name__)
    return answered


def answer_parent(question: type[Question], work: Callable[[Question], BaseModel]) -> None:
    """What a child's module calls when it is run: reads the question, works, and replies with the answer or with the error."""
    die_with(int(sys.argv[1]))
    asked = question.model_validate_json(sys.stdin.readline())
    try:
        reply = _Reply(answer=work(asked).model_dump(mode="json"))
    except Exception as error:  # its words may quote a file
        reply = _Reply(error=type(error).__name__, sentence=str(error) if isinstance(error, LunglineError) else None)
    print(reply.model_dump_json(), flush=True)
