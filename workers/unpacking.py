"""Unpacks an archive: a job that makes drops of what it holds. The reader process unpacks; here it is put in place and entered.

A member's id follows from its archive's and its number, and its bytes are in place before its row is committed. So a worker may be killed
at every line: the next one does all anew, and what was entered stays as it is.
"""

import os
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from db import archives, job_leases, jobs
from db.archives import Archive
from db.drops import Drop
from db.job_leases import Cause
from db.jobs import Claim
from db.tables import Priority
from db.writer import Writer
from imaging.archives import FUNCTION, ArchiveMember
from imaging.isolate import ReaderDied, ReaderPool, ReadersStopped, ReaderTimedOut
from jobs.answer import Answering, Tell
from jobs.kinds import READ_FAILURES, UNPACK
from jobs.leases import Leases, let_go
from lungline.durable import sync_folder
from lungline.errors import LedgerError, StoreError, UnreadableScan
from lungline.ids import derive_id
from lungline.inbox_names import said_by
from lungline.layout import Store
from lungline.placing import put_in_place
from lungline.reasons import Reason

READERS: Final = 3  # two archives at once, and an urgent one
READER_SECONDS: Final = 1800.0  # 16 GiB at 10 MB a second
READER_BYTES: Final = 1 << 30  # a directory of 50,000 members takes some 50 MB
_TOGETHER: Final = 256  # members a transaction: all else that is written waits meanwhile
_THREADS: Final = 6  # for what waits for the disk
_MAX_LOOKS: Final = 4  # at an archive that seems to be missing
_LOOK_SECONDS: Final = 0.5
_VOID: Final = "void: another worker has it"

log = structlog.get_logger()


def start_readers() -> ReaderPool:
    """The processes that unpack; to be started before any runtime, whose threads must not be alive when a process forks.

    Raises:
        ReadersStopped: one does not start.
    """
    return ReaderPool(FUNCTION, READERS, timeout=READER_SECONDS, memory_bytes=READER_BYTES)


class ArchiveUnpacker:
    """Unpacks archives for one worker; many threads at once."""

    def __init__(
        self, leases: Leases, writer: Writer, store: Store, pool: ReaderPool, ignore: list[str], pause_seconds: float = 10.0
    ) -> None:
        """
        Args:
            leases: of the worker.
            writer: of the database.
            store: with the archives.
            pool: of readers that run `imaging.archives.FUNCTION`.
            ignore: patterns of names that are left alone.
            pause_seconds: before an archive that cannot be unpacked now is given back.
        """
        self.answering = Answering(leases, (UNPACK,), archives.find, self._unpack)
        self._writer = writer
        self._store = store
        self._pool = pool
        self._ignore = ignore
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="unpack")

    def stop(self) -> None:
        """No further archive is claimed; those under way go back to waiting."""
        self.answering.stop()
        self._stopping.set()
        self._pool.close()

    def clear(self) -> None:
        """Removes what workers that were killed left behind of archives whose job has ended since.

        Raises:
            LedgerError: the database is not to be had.
        """
        left = list(self._store.unpacking.glob("*~*"))
        waiting = self._writer.do(jobs.subjects, UNPACK.name) if left else set()
        for folder in left:
            if folder.name.partition("~")[0] not in waiting:
                shutil.rmtree(folder, ignore_errors=True)

    def _unpack(self, claim: Claim, archive: Archive, _: Tell) -> str:
        try:
            return self._make_drops(claim, archive)
        except UnreadableScan as error:
            return f"refused: {error.reason}" if self._writer.do(archives.turn_away, claim, error.reason) else _VOID
        except (ReaderDied, ReaderTimedOut) as error:
            return self._let_go(claim, Cause.DEATH if isinstance(error, ReaderDied) else Cause.TIMEOUT)
        except (ReadersStopped, StoreError, OSError) as error:
            return self._give_back(claim, error)
        except (LedgerError, MemoryError):
            raise  # no archive is to blame
        except Exception as error:  # of this archive: it must not come back for ever
            log.error("an error in Lungline; the archive is refused", archive=claim.subject, error=type(error).__name__)
            return f"refused: {Reason.INTERNAL_ERROR}" if self._writer.do(archives.turn_away, claim, Reason.INTERNAL_ERROR) else _VOID

    def _make_drops(self, claim: Claim, archive: Archive) -> str:
        target = self._store.unpacking / f"{archive.file_id}~{claim.attempt}"
        try:
            members = self._extract(claim, archive, target)
            for start in range(0, len(members), _TOGETHER):
                if self._stopping.is_set():
                    raise ReadersStopped("The worker stops.")
                some = [(_drop(archive, member), member) for member in members[start : start + _TOGETHER]]
                list(self._threads.map(partial(self._place, target), some))
                if not self._writer.do(archives.enter_members, claim, [(drop, member.reason) for drop, member in some]):
                    return _VOID
            if not self._writer.do(jobs.finish, claim):
                return _VOID
        finally:
            shutil.rmtree(target, ignore_errors=True)
        refused = sum(member.reason is not None for member in members)
        return f"unpacked: {len(members)} files, {refused} of them refused"

    def _extract(self, claim: Claim, archive: Archive, target: Path) -> Sequence[ArchiveMember]:
        """Raises StoreError while the store is away or full; that the archive is missing is believed after several looks."""
        for _ in range(_MAX_LOOKS):
            if not self._store.is_there():
                break
            path = self._store.find(archive.sha256, archive.file_id)
            if path is not None:
                try:
                    self._make_room(claim, target)
                    return self._run(path, archive, target)
                except UnreadableScan as error:
                    if error.reason is not Reason.BYTES_MISSING:
                        raise
            if self._stopping.wait(_LOOK_SECONDS):  # the watcher may just put it in place
                raise ReadersStopped("The worker stops.")
        if not self._store.is_there():
            raise StoreError("The store is away: mount the disk of LUNGLINE_STORE, or repair its share.")
        raise UnreadableScan(Reason.BYTES_MISSING)

    def _make_room(self, claim: Claim, target: Path) -> None:
        """An empty folder for it, and no other left of earlier attempts: their claims are void."""
        self._store.unpacking.mkdir(exist_ok=True)
        for earlier in self._store.unpacking.glob(f"{claim.subject}~*"):
            if int(earlier.name.partition("~")[2]) <= claim.attempt:
                shutil.rmtree(earlier, ignore_errors=True)
        target.mkdir()

    def _run(self, path: Path, archive: Archive, target: Path) -> Sequence[ArchiveMember]:
        found: list[ArchiveMember] | str = self._pool.run(str(path), archive.sha256, str(target), self._ignore)
        if isinstance(found, str):
            raise StoreError(f"An archive cannot be unpacked into LUNGLINE_STORE now ({found}): free some space on its disk, or repair it.")
        return found

    def _place(self, target: Path, drop_and_member: tuple[Drop, ArchiveMember]) -> None:
        """Puts the bytes of a member where its row will say that they are."""
        drop, member = drop_and_member
        folder = target / str(member.number)
        entry = next(folder.iterdir(), None)
        if entry is None:
            raise OSError("A member is gone: another worker unpacks the archive.")
        with entry.open("rb") as file:
            os.fsync(file.fileno())
        sync_folder(folder)
        if member.reason is not None:
            self._store.quarantine.mkdir(exist_ok=True)
            put_in_place(folder, self._store.quarantine / drop.id, is_known=True)
        else:
            put_in_place(folder, self._store.folder(str(drop.sha256)), is_known=True)

    def _give_back(self, claim: Claim, error: Exception) -> str:
        """The archive waits again; unless the worker stops, after a while: its doorbell is rung at once then."""
        if not self._stopping.is_set():
            why = str(error) if isinstance(error, StoreError) else None  # a system's message may name a file
            log.error("an archive cannot be unpacked now, and waits", archive=claim.subject, error=type(error).__name__, why=why)
            self._stopping.wait(self._pause_seconds)
        self._writer.do(job_leases.give_back, [claim])
        return "returned: the worker stops" if self._stopping.is_set() else f"returned: {type(error).__name__}"

    def _let_go(self, claim: Claim, cause: Cause) -> str:
        ended, reason = self._writer.do(let_go, claim, (UNPACK,), cause), READ_FAILURES[cause]
        log.warning("reader ended", archive=claim.subject, reason=reason.value, given_up=ended)
        return f"{'refused' if ended else 'waits again'}: {reason}"


def _drop(archive: Archive, member: ArchiveMember) -> Drop:
    """A member as a drop: what its folders do not say of it, those of the archive do."""
    is_urgent, hint = said_by(member.folders)
    return Drop(
        id=derive_id(archive.file_id, member.number),
        sha256=member.sha256,
        bytes=member.bytes,
        priority=Priority.STAT if is_urgent else archive.priority,
        hint=hint or archive.hint,
        archive_id=archive.file_id,
    )
