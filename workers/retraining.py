"""What runs in the training process: a run from its row to an outcome. It promotes nothing: who started it does (workers/outcome.py)."""

import errno
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from db import errors, gates, runs, versions
from db.connect import read_only
from db.jobs import Claim
from db.runs import Run
from db.tables import RunOutcome
from lungline.errors import LunglineError, TrainingError
from lungline.findings import Modality
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from lungline.threads import Repeating
from models import registry
from models.files import EnsembleFiles
from training.data import audit, snapshot, store_labels, sufficiency
from training.data.snapshot import Labels, NoTrainingData, Snapshot
from training.fitting import progress, provenance
from training.retraining import recipe_choice
from workers.outcome import RunResult

if TYPE_CHECKING:
    from training.retraining.run import Learnt, RuledChallenger

_LOOK_SECONDS = 2.0

log = structlog.get_logger()


class Retraining:
    """One attempt at a run."""

    def __init__(self, settings: Settings, engine: Engine, claim: Claim, run: Run) -> None:
        self._settings = settings
        self._engine = engine
        self._claim = claim
        self._asked = run
        self._out = settings.layout.training / claim.subject
        self._store = Store(settings.store)
        self._step: str | None = None
        self._names: tuple[str, ...] = ()

    def run(self) -> RunResult:
        """Ends with an outcome, whatever is wrong with data, weights, recipes or the disk.

        Raises:
            SQLAlchemyError: the database is away; the run goes on when it is tried again.
        """
        try:
            return self._run()
        except NoTrainingData as error:
            return RunResult(state=RunOutcome.FAILED if self._asked.forced else RunOutcome.SKIPPED, reason=str(error))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            return RunResult(
                state=RunOutcome.FAILED,
                reason="The disk is full: free some space below LUNGLINE_HOME and LUNGLINE_STORE, then run `lungline retrain`.",
            )
        except SQLAlchemyError as error:
            if errors.is_outage(error):
                raise
            return RunResult(state=RunOutcome.FAILED, reason=str(errors.translate(error)))
        except LunglineError as error:
            return RunResult(state=RunOutcome.FAILED, reason=str(error))

    def _run(self) -> RunResult:
        champions = self._champions()
        named = self._asked.recipes or recipe_choice.split_names(self._settings.retrain_recipes)
        names = recipe_choice.choose_recipes(named, champions)
        taken = self._snapshot()
        if not named:  # a hospital that labels X-rays, and a CT slice now and then, retrains X-rays
            wanted, names = names, recipe_choice.learnable(names, sufficiency.sufficient(taken.folder, names))
            if names != wanted:
                log.info("too few scans for some recipes", run=self._claim.subject, left_out=sorted(set(wanted) - set(names)))
        self._names = names
        self._note(
            recipes=list(names),
            code_version=provenance.code_version(),
            libraries=provenance.libraries(),
            settings={
                "weights": recipe_choice.BASE_WEIGHTS,
                "device": self._settings.training_device,
                "promote": self._settings.retrain_promote,
            },
            **taken.columns(),
        )
        if not self._asked.forced and self._last() == (taken.sha256, list(names)):
            return RunResult(state=RunOutcome.SKIPPED, reason="Nothing is new since the last run: the same labels, data and recipes.")
        touched = [champion for champion in champions.values() if any(recipe_choice.is_for(name, champion) for name in names)]
        self._tell("checking the data")
        sufficiency.require(taken.folder, [champion.modality for champion in touched if champion.modality], names)
        audit.require_sound(taken.audited, self._settings.layout.audits)
        from training.retraining import run  # TensorFlow: seconds

        learnt = run.Learnt(taken.folder, self._asked.seed, names)
        watch = Repeating("progress", _LOOK_SECONDS, self.look, "progress not written")
        watch.start()
        try:
            for champion in touched:
                run.keep_others(champion, names, self._out)
            members = run.learn(learnt, self._settings, self._out, self._tell)
        finally:
            watch.stop(timeout=60)
        self._note(epochs_done=progress.read_progress(self._out, names)[0])
        ruled_challengers = [self._rule_on(champion, learnt, taken) for champion in touched]
        self._tell("writing the report")
        run.report_on(ruled_challengers, members, learnt, self._settings, self._claim.subject)
        return RunResult(state=RunOutcome.DONE, reason="", rulings=tuple(each.ruling for each in ruled_challengers))

    def _rule_on(self, champion: EnsembleFiles, learnt: "Learnt", taken: Snapshot) -> "RuledChallenger":
        from training.retraining import run

        with read_only(self._engine).connect() as connection:
            uses = gates.count_uses(connection, champion.name) + 1
        newer = self._is_newer(champion, taken)
        return run.judge(champion, learnt, self._settings, self._out, self._tell, newer_labels=newer, uses=uses)

    def _champions(self) -> dict[str, EnsembleFiles]:
        with read_only(self._engine).connect() as connection:
            found = versions.champions(connection)
        missing = set(Modality) - set(found)
        if missing:
            raise TrainingError(f"There is no champion for {', '.join(sorted(missing))}; see `lungline models list`.")
        return {modality.value: registry.find(found[modality.value], self._store.models) for modality in Modality}

    def _snapshot(self) -> Snapshot:
        """The data as it stood when the run first began."""
        folder = self._store.training / self._claim.subject
        with read_only(self._engine).connect() as connection:
            known = runs.begun_with(connection, self._claim.subject)
        if known["data_sha256"] and (kept := snapshot.reopen(folder, known)):
            return kept
        return snapshot.take(folder, self._settings.training_data, self._labels())

    def _labels(self) -> Labels:
        with read_only(self._engine).connect() as connection:
            rows = store_labels.find_labelled_rows(connection, self._store)
            until = store_labels.find_newest_import(connection)
        return Labels(rows, until, PseudonymKey.load_or_create(self._settings.key_file))

    def _last(self) -> tuple[str, list[str]] | None:
        with read_only(self._engine).connect() as connection:
            return runs.last_done(connection)

    def _is_newer(self, champion: EnsembleFiles, taken: Snapshot) -> bool:
        """Whether this run learnt from labels that the champion did not know: a picture of `train`, or another label of one."""
        with read_only(self._engine).connect() as connection:
            run_id = versions.run_of(connection, champion.version)
        assert champion.modality
        if run_id and (known := snapshot.count_training_labels(self._store.training / run_id, champion.modality)) is not None:
            return not (snapshot.count_training_labels(taken.folder, champion.modality) or Counter()) <= known
        # It shipped, or came of `lungline train`: what it learnt from is known by a hash alone.
        is_another = taken.manifest_sha256 != champion.places[0].member.record.data_sha256
        return is_another or snapshot.trains_on_store(taken.folder, champion.modality, self._store)

    def _tell(self, step: str) -> None:
        self._step = step
        log.info("training", run=self._claim.subject, step=step)
        self._note(step=step)

    def _note(self, **known: Any) -> None:
        with self._engine.begin() as connection:
            runs.note(connection, self._claim, known)

    def look(self) -> None:
        """Tells how far the training is, by what it left in its folder."""
        epochs, step = progress.read_progress(self._out, self._names)
        if step and step != self._step:
            self._step = step
            log.info("training", run=self._claim.subject, step=step)
            self._note(step=step, epochs_done=epochs)
