"""What the gate said of each challenger, as the page shows it."""

from typing import Final

from training.evaluation.card import CardTable, Section
from training.rulings import ChallengerRuling, Clause

_HEAD: Final = ("clause", "says", "champion", "challenger", "difference, or interval", "scans (groups)")


def describe_ruling(ruled: ChallengerRuling) -> Section:
    """A ruling as a section: its decision with the reason, and a row a clause."""
    said = f"**{ruled.decision}**: {ruled.reason}. It was use {ruled.uses} of these scans; the more, the less they are worth."
    versions = f"`{ruled.challenger}` against the champion `{ruled.champion}`, on the same scans of the split `gate`."
    rows = tuple(_row(clause) for clause in ruled.clauses)
    return Section("gate", "The gate", (said, versions, CardTable(_HEAD, rows)))


def _row(clause: Clause) -> tuple[str, ...]:
    name = clause.name if clause.source is None else f"{clause.name} ({clause.source})"
    of = "" if clause.images is None else f"{clause.images} ({clause.groups})"
    return name, clause.outcome.replace("_", " "), _figure(clause.champion), _figure(clause.challenger), _by(clause), of


def _by(clause: Clause) -> str:
    """The difference with its interval; where there is none, the challenger's own interval."""
    sign = "" if clause.difference is None else "+"
    value = "" if clause.difference is None else f"{clause.difference:+.3f}"
    ends = "" if clause.low is None or clause.high is None else f"[{clause.low:{sign}.3f}, {clause.high:{sign}.3f}]"
    return f"{value} {ends}".strip()


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
