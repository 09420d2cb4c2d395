"""The leases that a worker holds: who it is, what it has in hand, and the thread that renews them."""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy import Connection

from db import ledger
from db.ledger import Claim
from db.writer import Writer
from lungline.ids import new_id
from lungline.settings import Settings

RENEW_SECONDS = 8.0

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
    """What one worker holds. Tasks claim through it; its thread renews what is in hand."""

    def __init__(self, writer: Writer, slot: str) -> None:
        self._writer = writer
        boot = boot_id()
        self.owner = f"{slot}/{boot}/{new_id()[-12:]}"
        self._hand: set[Claim] = set()  # two of one scan, if its lease ran out and it was rung again
        self._company = 0  # scans being read beside each other
        self._alone = False  # or one by itself
        self._changed = threading.Condition()
        self._stop = threading.Event()
        freed, condemned = writer.do(lambda connection: _free(connection, slot, boot))
        if freed:
            log.warning("took over from a worker that died", scans=freed, quarantined=condemned)
        self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)
        self._thread.start()

    @contextmanager
    def claim(self, scan_id: str) -> Iterator[Claim | None]:
        """Claims a scan for the length of the block; None if it is not to be had.

        A scan that is read alone waits until nothing else is in hand, and keeps all others waiting.
        """
        claim = self._writer.do(lambda connection: ledger.claim(connection, scan_id, self.owner))
        if claim is None:
            yield None
            return
        with self._changed:
            self._hand.add(claim)  # its lease is renewed while it waits its turn
        try:
            with self._alone_with(claim) if claim.alone else self._in_company():
                yield claim
        finally:
            with self._changed:
                self._hand.remove(claim)

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
            self._writer.do(lambda connection: ledger.read_alone(connection, claim))
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    def stop(self) -> None:
        """Ends renewing; what is still held runs out by itself."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_SECONDS):
            with self._changed:
                held = [claim.scan_id for claim in self._hand]
            if not held:
                continue
            began = time.monotonic()
            try:
                self._writer.do(lambda connection, held=held: ledger.renew(connection, self.owner, held))  # type: ignore[misc]
            except Exception as error:  # whatever it is: without this thread what is being read is lost to others
                log.warning("leases not renewed", scans=len(held), error=type(error).__name__, seconds=round(time.monotonic() - began, 1))


def _free(connection: Connection, slot: str, boot: str) -> tuple[int, int]:
    freed = ledger.free_slot(connection, slot, boot)
    return freed, ledger.condemn(connection) if freed else 0
