"""Settles a training run: its challengers enter the store, and in one transaction the ruling on each stands, and a promotion with it."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from db import gates, runs, versions
from db.audit import US
from db.gates import Gate
from db.jobs import Claim
from db.runs import Run
from db.tables import RunOutcome
from db.writer import Writer
from lungline.errors import LedgerError, ModelError
from lungline.layout import Store
from lungline.settings import Settings
from models.files import EnsembleFiles, Member, adopt, read_member
from training.rulings import ChallengerRuling, Decision
from workers import catalogue

_LONGEST = 300

log = structlog.get_logger()


class RunResult(BaseModel):
    """How a run ended, as the training process answers the worker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: RunOutcome
    reason: str
    rulings: tuple[ChallengerRuling, ...] = ()


class TrainingOrder(BaseModel):
    """What the worker asks a training process for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim: Claim
    run: Run


def commit_outcome(settings: Settings, writer: Writer, claim: Claim, outcome: RunResult) -> str:
    """Ends the run as its outcome says, and removes its folder; what became of it, in words.

    Raises:
        LedgerError: the database is away, or another worker has the run; nothing is promoted.
    """
    said = _commit(settings, writer, claim, outcome)
    with suppress(LedgerError):  # the next run tidies up
        _tidy(settings, writer)
    return said


def _tidy(settings: Settings, writer: Writer) -> None:
    """Removes the folders of all runs that have ended: what came of them lies in the store, and none goes on."""
    folders = {path.name: path for path in settings.layout.training.glob("*") if path.is_dir()}
    for run_id in writer.do(runs.ended, folders):
        shutil.rmtree(folders[run_id], ignore_errors=True)


def _commit(settings: Settings, writer: Writer, claim: Claim, outcome: RunResult) -> str:
    if outcome.state != RunOutcome.DONE:
        return _end(writer, claim, outcome.state, outcome.reason)
    models, folder = Store(settings.store).models, settings.layout.training / claim.subject
    try:
        found = {files.version: files for files in adopt(folder, models)}
    except ModelError as error:
        return _end(writer, claim, RunOutcome.FAILED, str(error))
    except OSError:
        return _end(
            writer,
            claim,
            RunOutcome.FAILED,
            "The challengers cannot be written to the store: free some space in LUNGLINE_STORE, or correct its permissions.",
        )

    def work(connection: Connection) -> str:
        catalogue.enter(connection, models)
        made = [read_member(folder / name) for name in runs.begun_with(connection, claim.subject)["recipes"]]
        decided = [_decide(connection, settings, claim.subject, ruling, found[ruling.challenger], made) for ruling in outcome.rulings]
        decision, reason = _sum(decided)
        if not runs.finish(connection, claim, RunOutcome.DONE, reason, decision):
            raise LedgerError("Another worker has claimed this run.")
        return f"{decision}: {reason}"

    said = writer.do(work)
    log.info("training run ended", run=claim.subject, outcome=said)
    return said


def _end(writer: Writer, claim: Claim, state: RunOutcome, reason: str) -> str:
    if not writer.do(runs.finish, claim, state, reason):
        raise LedgerError("Another worker has claimed this run.")
    log.info("training run ended", run=claim.subject, outcome=f"{state}: {reason}")
    return f"{state}: {reason}"


def _decide(
    connection: Connection, settings: Settings, run_id: str, ruling: ChallengerRuling, files: EnsembleFiles, made: Sequence[Member]
) -> Gate:
    """Promotes, refuses or holds one challenger. `made`: the members that the run trained, whether they vote in it or not."""
    members = [place.member.version for place in files.places]
    trained = [member.version for member in made if member.modality is files.modality]
    decision, reason = ruling.decision.value, ruling.reason
    versions.come_of(connection, [files.version, *trained], run_id)
    if ruling.decision is Decision.PASSED:
        decision, reason = _may_judge(connection, settings, ruling)
    if decision == "promoted":
        why = f"gate of run {run_id}: {reason}"[:_LONGEST]
        versions.promote(connection, files.version, members, US, why, although_refused=True)  # by another run: this one let it pass
    elif decision == "refused":
        versions.refuse(connection, [files.version, *members, *trained], f"gate of run {run_id}: {reason}")
    clauses = tuple(asdict(clause) for clause in ruling.clauses)
    gate = Gate(ruling.name, ruling.champion, ruling.challenger, decision, reason, ruling.uses, clauses)
    gates.enter(connection, run_id, gate)
    return gate


def _may_judge(connection: Connection, settings: Settings, ruling: ChallengerRuling) -> tuple[str, str]:
    """What becomes of a challenger that passed the gate."""
    version, reason = ruling.challenger, ruling.reason
    champion = versions.champion_beside(connection, version)
    if champion == version:
        return "held", "it is the champion already: the same data gave the same weights"
    if champion != ruling.champion:
        return "held", f"another champion was promoted meanwhile; it passed against {ruling.champion}: {reason}"
    if by := versions.put_back(connection, version):  # a person's word stands until a person takes it back
        return (
            "held",
            f"passed the gate, but somebody rolled back from it before ({by}); to promote it: `lungline models promote {version} "
            f"--by NAME --why TEXT`",
        )
    if settings.retrain_promote == "ask":
        return "held", f"passed the gate, and waits for `lungline models promote {version} --by NAME --why TEXT`: {reason}"
    return "promoted", reason


def _sum(decided: Sequence[Gate]) -> tuple[str, str]:
    """One decision for the run: promoted if any was, else refused if any was, else held; and the reason of each."""
    decisions = {gate.decision for gate in decided}
    decision = next(candidate for candidate in ("promoted", "refused", "held") if candidate in decisions)
    return decision, "; ".join(f"{gate.name} {gate.decision}: {gate.reason}" for gate in decided)
