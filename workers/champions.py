"""The champions that judge here: loaded at the start, and taken up anew, beside the running ones, when the database names others."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Engine

from db import errors, versions
from db.connect import read_only
from lungline.errors import LunglineError
from lungline.threads import Repeating
from models import registry
from models.admission import Admission
from models.ensemble import Ensemble
from models.files import ADMISSION
from models.runtimes.choice import RuntimeChoice
from workers import catalogue
from workers.judge import Judge

PAUSES: Final = (10.0, 30.0, 120.0, 600.0)  # seconds before a champion that cannot be loaded is tried again; the last for ever after

log = structlog.get_logger()


@dataclass
class _LoadFailure:
    """Champions that could not be loaded."""

    wanted: Mapping[str, str]
    failures: int
    due: float  # on the monotonic clock


class Champions:
    """Holds `judge`: each batch is judged by the one that its scans were prepared for, and none mixes two."""

    def __init__(
        self,
        engine: Engine,
        models: Path,
        runtime_choice: RuntimeChoice,
        batch_max: int,
        ask_seconds: float = 2.0,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        """Enters what is at hand, and loads the champions; takes seconds.

        Raises:
            ModelError: a champion's files are missing or damaged, or a modality has none.
            SQLAlchemyError: the database is away.
        """
        self._engine = engine
        self._models = models
        self._runtime_choice = runtime_choice
        self._batch_max = batch_max
        self._pauses = pauses
        self._load_failure: _LoadFailure | None = None
        with engine.begin() as connection:
            catalogue.enter(connection, models)
            wanted = versions.champions(connection)
        self.judge = self._load(wanted, None)
        unanswered = "the database does not name the champions now; the running ones go on"
        self._thread = Repeating("champions", ask_seconds, self._look, unanswered)

    def watch(self) -> None:
        """Begins to ask the database for new champions."""
        self._thread.start()

    def stop(self, timeout: float = 0.0) -> None:
        """Ends asking, and gives up what is being loaded; waits `timeout` seconds at most until that has ended."""
        self._thread.stop(timeout)

    def _look(self) -> None:
        with errors.translating(), read_only(self._engine).connect() as connection:
            wanted = versions.champions(connection)
        if wanted == self.judge.names or self._waits(wanted):
            return
        try:
            judge = self._load(wanted, self.judge)
        except Exception as error:  # of others' errors only the type, as their words may quote anything
            self._put_off(wanted, str(error) if isinstance(error, LunglineError) else type(error).__name__)
            return
        if not self._thread.is_stopping:
            log.info("new champions judge from the next batch on", versions=judge.versions, before=self.judge.versions)
            self.judge, self._load_failure = judge, None

    def _waits(self, wanted: Mapping[str, str]) -> bool:
        return self._load_failure is not None and self._load_failure.wanted == wanted and time.monotonic() < self._load_failure.due

    def _put_off(self, wanted: Mapping[str, str], why: str) -> None:
        is_known = self._load_failure is not None and self._load_failure.wanted == wanted
        failures = self._load_failure.failures + 1 if is_known and self._load_failure else 1
        if not is_known:
            log.error("a champion cannot be loaded; the running one goes on", wanted=sorted(wanted.values()), why=why)
        self._load_failure = _LoadFailure(wanted, failures, time.monotonic() + self._pauses[min(failures, len(self._pauses)) - 1])

    def _load(self, wanted: Mapping[str, str], running: Judge | None) -> Judge:
        """The networks of these versions; those that run already are kept."""
        kept = running.parts if running else {}
        files = {name: registry.find(version, self._models) for name, version in wanted.items()}
        new = {name: ensemble for name, ensemble in files.items() if name not in kept or kept[name].version != ensemble.version}
        self._runtime_choice.prepare([place for ensemble in new.values() for place in ensemble.places])
        parts: dict[str, Admission | Ensemble] = {}
        for name in files:
            if name not in new:
                parts[name] = kept[name]
                continue
            load = registry.load_admission if name == ADMISSION else registry.load_ensemble
            part = load(new[name], self._runtime_choice)
            part.warm(self._batch_max)
            registry.try_out(part)
            parts[name] = part
        return Judge(parts)
