"""The leases that a worker holds: who it is, which jobs it has in hand, and the thread that renews them."""

import hashlib
import os
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection

from db import job_leases, jobs
from db.job_leases import Cause
from db.jobs import Claim
from db.refused_rows import change_rows
from db.writer import Writer
from jobs.kinds import KINDS, JobKind
from lungline.ids import new_id
from lungline.settings import Settings
from lungline.threads import Repeating

RENEW_SECONDS: Final = 8.0

Subject = TypeVar("Subject")

log = structlog.get_logger()


def site(settings: Settings) -> str:
    """This home on this host: with a process's name, the slot that it fills. One live process a slot, held by its presence lock."""
    home = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:8]
    return f"{home}-{socket.gethostname()[:40]}"


def boot_id() -> str:
    """Tells this boot of the host from another, as far as the system does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return "unknown"


class Leases:
    """What one worker holds. Jobs are claimed through it; its thread renews what is in hand."""

    def __init__(self, writer: Writer, slot: str, kinds: Sequence[JobKind] = KINDS, renew_seconds: float = RENEW_SECONDS) -> None:
        """Frees what a predecessor in this slot held.

        Args:
            writer: of the database.
            slot: that this worker alone fills.
            kinds: that it may claim.
            renew_seconds: between two renewals of what it holds.

        Raises:
            LedgerError: the database is not to be had.
        """
        self._writer = writer
        self._kinds = kinds
        boot = boot_id()
        self.owner = f"{slot}/{boot}/{new_id()[-12:]}"
        self._in_hand: set[Claim] = set()  # two of one job, if its lease ran out and it was rung again
        self._company = 0  # jobs done beside each other
        self._alone = False  # or one by itself
        self._changed = threading.Condition()
        freed, ended = writer.do(free_slot, kinds, slot, boot)
        if freed:
            log.warning("took over from a worker that died", jobs=freed, given_up=ended)
        self._renewing = Repeating("leases", renew_seconds, self._renew, "leases not renewed")
        self._renewing.start()

    @contextmanager
    def claim(
        self, kinds: tuple[JobKind, ...], subject: str, load: Callable[[Connection, Sequence[str]], Mapping[str, Subject]]
    ) -> Iterator[tuple[Claim, Subject] | None]:
        """Claims a subject's job for the length of the block; None if there is none to be had.

        What many threads claim at once is claimed by one statement. A job that is done alone waits until nothing else is in hand, and
        keeps all others waiting.

        Args:
            kinds: of which the job may be; all have the same lease.
            subject: whose.
            load: finds what must be known of subjects, in the transaction that claims their jobs.
        """
        found = self._writer.do_together(self._claim, subject, kinds, load)
        if found is None:
            yield None
            return
        claim, _ = found
        with self._changed:
            self._in_hand.add(claim)  # its lease is renewed while it waits its turn
        try:
            with self._alone_with(claim) if claim.alone else self._in_company():
                yield found
        finally:
            with self._changed:
                self._in_hand.discard(claim)

    def has(self, claim: Claim) -> bool:
        """Whether the claim held when its lease was last renewed."""
        with self._changed:
            return claim in self._in_hand

    def stop(self) -> None:
        """Ends renewing; what is still held runs out by itself."""
        self._renewing.stop(timeout=5)

    def _claim(
        self,
        connection: Connection,
        subjects: Sequence[str],
        kinds: tuple[JobKind, ...],
        load: Callable[[Connection, Sequence[str]], Mapping[str, Subject]],
    ) -> list[tuple[Claim, Subject] | None]:
        lease, exclusive = kinds[0].lease_seconds, kinds[0].exclusive
        asked = list(dict.fromkeys(subjects))
        claims = jobs.claim(connection, [kind.name for kind in kinds], asked, self.owner, lease, exclusive=exclusive)
        known = load(connection, list(claims)) if claims else {}
        taken = ((claims.pop(subject, None), subject) for subject in subjects)  # of two doorbells of one subject, one is answered
        return [None if claim is None else (claim, known[subject]) for claim, subject in taken]

    @contextmanager
    def _in_company(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._company += 1
        try:
            yield
        finally:
            with self._changed:
                self._company -= 1
                self._changed.notify_all()

    @contextmanager
    def _alone_with(self, claim: Claim) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._alone = True
            self._changed.wait_for(lambda: self._company == 0)
        try:
            self._writer.do(job_leases.note_alone, claim)
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def _renew(self) -> None:
        by_kind: dict[str, list[Claim]] = defaultdict(list)
        with self._changed:
            for claim in self._in_hand:
                by_kind[claim.kind].append(claim)
        for kind in self._kinds:
            if claims := by_kind[kind.name]:
                ids = [claim.job_id for claim in claims]
                held = self._writer.do(job_leases.renew, self.owner, ids, kind.lease_seconds)
                with self._changed:
                    self._in_hand -= {claim for claim in claims if claim.job_id not in held}


def free_slot(connection: Connection, kinds: Sequence[JobKind], slot: str, boot: str) -> tuple[int, int]:
    """Frees what a dead worker of this slot held; how many jobs, and how many of them were given up."""
    freed = job_leases.free_slot(connection, slot, boot)
    return freed, condemn(connection, kinds) if freed else 0


def let_go(connection: Connection, claim: Claim, kinds: Sequence[JobKind], cause: Cause = Cause.DEATH) -> bool:
    """The process that did the job died of it or was too slow, and its worker lives: the job waits again, or is given up. True if it is."""
    kind = next(kind for kind in kinds if kind.name == claim.kind)
    counted = job_leases.let_go(connection, claim, cause)
    return counted is not None and counted > kind.deaths_allowed and _give_up(connection, kind, claim.job_id, claim.subject, cause)


def expire(connection: Connection, kinds: Sequence[JobKind]) -> tuple[int, int]:
    """Frees jobs whose lease ran out; how many, and how many of them were given up."""
    freed = sum(job_leases.expire(connection, kind.name, kind.lease_seconds) for kind in kinds)
    return freed, condemn(connection, kinds) if freed else 0


def condemn(connection: Connection, kinds: Sequence[JobKind]) -> int:
    """Gives up jobs that ended their workers too often; how many. One that the database refuses to change spares the others."""
    ended = 0
    for kind in kinds:
        subjects = job_leases.condemned(connection, kind.name, kind.deaths_allowed)

        def give_up(ids: Sequence[str], kind: JobKind = kind, subjects: dict[str, str] = subjects) -> None:
            for job_id in ids:
                _give_up(connection, kind, job_id, subjects[job_id], Cause.DEATH)

        ended += len(subjects) - len(change_rows(connection, give_up, list(subjects)))
    return ended


def _give_up(connection: Connection, kind: JobKind, job_id: str, subject: str, cause: Cause) -> bool:
    if not job_leases.give_up(connection, job_id):
        return False
    kind.condemn(connection, subject, cause)
    return True
