"""A pool of child processes that read untrusted bytes: a segfault, a hang or a bomb costs one scan its place, and nobody else anything.

It contains accidents, not attackers: a child runs as the same user.
"""

import atexit
import multiprocessing
import pickle
import signal
import tempfile
import threading
from contextlib import suppress
from multiprocessing import resource_tracker, util
from typing import Any, Final

from imaging.child import serve
from lungline.errors import LunglineError, UnreadableScan
from lungline.temporary import folder_for_sockets
from lungline.wait import wait_running_time

_START_SECONDS: Final = 60.0  # imports of numpy, OpenCV and pydicom on a machine that is busy with something else
_STOP_SECONDS: Final = 5.0
_WAKE_SECONDS: Final = 1.0
SOCKET_BYTES: Final = len("/pymp-12345678/listener-12345678")  # of a socket's path below the folder of temporary files

# multiprocessing looks at all living processes when it starts one, and is not prepared for one that goes meanwhile.
_births_and_burials = threading.Lock()


class ReaderDied(LunglineError):
    """The child ended, or raised what no reader should, while it held the task: the task is to blame."""


class ReaderTimedOut(LunglineError):
    """The child did not answer in time, and was killed."""


class ReadersStopped(LunglineError):
    """The pool was closed, or could not start a child: nobody's task is to blame."""


class ReaderPool:
    """`size` children, each running one task at a time; `run` may be called from any number of threads.

    Children come from a fork server, never from a fork of this process, whose threads and runtimes a fork would break. They die with
    this process, whatever kills it, and are deaf to the signals that stop it: it ends them when it no longer needs them.
    """

    def __init__(self, function: str, size: int, *, timeout: float, memory_bytes: int) -> None:
        """Starts the children and waits until all are ready.

        Args:
            function: "package.module:name"; its arguments and result must pickle.
            size: how many children.
            timeout: seconds that one task may take before its child is killed.
            memory_bytes: address space that a child may take beyond what it has mapped when it is ready.

        Raises:
            ReadersStopped: a child does not start.
            SettingsError: there is no folder for the sockets of multiprocessing.
        """
        self._function = function
        self._timeout = timeout
        self._memory_bytes = memory_bytes
        self._changed = threading.Condition()
        self._is_closed = False
        children = [self._start() for _ in range(size)]
        self._free: list[_Child | None] = list(children)  # None: died, to be started anew by whoever takes its place
        self._busy: set[_Child] = set()
        atexit.register(self.close)  # before multiprocessing's own, which would wait for the children for ever
        try:
            for child in children:
                child.wait_until_ready()
        except ReadersStopped:
            self.close()
            raise

    def run(self, *args: Any) -> Any:
        """Calls the function in a child, waiting for a free one.

        Raises:
            UnreadableScan: as the function raised it, or `too_large` if it ran out of memory.
            ReaderDied: the child died, or the function raised something else.
            ReaderTimedOut: it took longer than the time-out.
            ReadersStopped: the pool is closed, or a dead child cannot be replaced.
        """
        child = self._take()
        is_fit = False
        try:
            kind, value = child.call(args, self._timeout)
            is_fit = True
        except (EOFError, OSError) as error:
            if self._is_closed:
                raise ReadersStopped("The readers were stopped.") from None
            if isinstance(error, TimeoutError):
                raise ReaderTimedOut(f"The reader took longer than {self._timeout:g} s.") from None
            raise ReaderDied("The reader process died.") from None
        finally:
            self._give_back(child, is_fit=is_fit)
        if kind == "unreadable":
            raise UnreadableScan(*value)
        if kind == "failed":
            raise ReaderDied(f"The reader failed with {value}.")
        return value

    def close(self) -> None:
        """Kills the children; tasks that run or wait end with ReadersStopped."""
        with self._changed:
            self._is_closed = True
            for child in self._busy:
                child.kill()  # whoever waits for it buries it
            free, self._free = self._free, []
            self._changed.notify_all()
        for idle in free:
            if idle:
                idle.reap()
        atexit.unregister(self.close)

    def _take(self) -> "_Child":
        with self._changed:
            while not self._free and not self._is_closed:
                self._changed.wait(_WAKE_SECONDS)
            if self._is_closed:
                raise ReadersStopped("The readers were stopped.")
            child = self._free.pop()
        try:
            if child and not child.is_alive():  # it died idle, which is not the next task's fault
                child.reap()
                child = None
            if child is None:
                child = self._start()
                child.wait_until_ready()
        except BaseException:
            with self._changed:
                self._free.insert(0, None)
                self._changed.notify()
            raise
        with self._changed:
            self._busy.add(child)
            is_closed = self._is_closed
        if is_closed:
            child.kill()
        return child

    def _give_back(self, child: "_Child", *, is_fit: bool) -> None:
        if not is_fit:
            child.reap()
        with self._changed:
            self._busy.discard(child)
            if not self._is_closed:
                self._free.append(child) if is_fit else self._free.insert(0, None)
                self._changed.notify()

    def _start(self) -> "_Child":
        return _Child(self._function, self._memory_bytes)


def _make_room_for_sockets() -> None:
    """Has multiprocessing choose a folder for its sockets, once a process: in that of temporary files unless its path is too long."""
    with _births_and_burials:
        folder = folder_for_sockets(SOCKET_BYTES)
        usual, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            util.get_temp_dir()
        finally:
            tempfile.tempdir = usual


class _Child:
    """One process and this end of its pipe."""

    def __init__(self, function: str, memory_bytes: int) -> None:
        context = multiprocessing.get_context("forkserver")
        _make_room_for_sockets()
        # What children would else import one by one. A module that is not there is passed over, and fails in the child.
        context.set_forkserver_preload([serve.__module__, "imaging.dicom", function.partition(":")[0]])
        self._pipe, theirs = context.Pipe()
        # A service manager's SIGTERM goes to all of its processes: blocked here, it is blocked in the fork server and the children.
        # The resource tracker comes first because its start would unblock it.
        resource_tracker.ensure_running()
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self._process = context.Process(target=serve, args=(theirs, function, memory_bytes), daemon=True, name="reader")
        try:
            with _births_and_burials:
                self._process.start()
        except (EOFError, OSError) as error:
            self._pipe.close()
            raise ReadersStopped(f"A reader process cannot be started ({type(error).__name__}); see `lungline doctor`.") from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            theirs.close()

    def wait_until_ready(self) -> None:
        try:
            # in steps: a pause of this process, and of the child with it, counts as one of them
            if any(self._pipe.poll(_WAKE_SECONDS) for _ in range(round(_START_SECONDS / _WAKE_SECONDS))):
                self._pipe.recv_bytes()
                return
        except (EOFError, OSError):
            pass
        self.reap()
        raise ReadersStopped("A reader process does not start; see `lungline doctor`.")

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def call(self, args: tuple[Any, ...], timeout: float) -> tuple[str, Any]:
        """One task.

        Raises:
            TimeoutError: it took too long; the child is dead.
            EOFError, OSError: the child died.
        """
        is_late, is_over = threading.Event(), threading.Event()

        def watch() -> None:
            if not wait_running_time(is_over, timeout):
                is_late.set()
                self.kill()

        # A kill ends the wait wherever it is: in sending to a child that does not read, or in receiving half an answer.
        watcher = threading.Thread(target=watch, name="reader's time", daemon=True)
        watcher.start()
        try:
            self._pipe.send_bytes(pickle.dumps(args, protocol=5))
            answer = self._pipe.recv_bytes()
        except (EOFError, OSError):
            if is_late.is_set():
                raise TimeoutError from None
            raise
        finally:
            is_over.set()
            watcher.join()
        if is_late.is_set():
            raise TimeoutError
        kind, value = pickle.loads(answer)
        return kind, value

    def kill(self) -> None:
        with suppress(ValueError):  # buried already
            self._process.kill()

    def reap(self) -> None:
        """Kills the child and gives back what it held of this process; for whoever has it to himself."""
        self.kill()
        self._pipe.close()
        with suppress(ValueError):  # buried already, or it outlived even that, waiting for a disk
            self._process.join(_STOP_SECONDS)
            with _births_and_burials:
                self._process.close()
