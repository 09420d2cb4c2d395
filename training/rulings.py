"""What the gate says of a challenger: its decision, and every clause behind it. The training process sends this to the worker, as JSON."""

from dataclasses import asdict
from enum import StrEnum
from typing import Self

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

_CHECKED = ConfigDict(extra="forbid")


class Decision(StrEnum):
    """What the gate says of a challenger."""

    PASSED = "passed"  # no harm is shown, and there is a reason to change
    HELD = "held"  # no harm is shown, and no reason to change; or too little is known
    REFUSED = "refused"  # harm is shown


class ClauseOutcome(StrEnum):
    """What a clause says: the first three of harm, the last two of a reason to change."""

    PASSED = "passed"
    FAILED = "failed"
    UNDEFINED = "undefined"  # the scans cannot tell
    GIVEN = "given"
    NOT_GIVEN = "not_given"


@dataclass(frozen=True, config=_CHECKED)
class Clause:
    """One clause of the rule with its figures; those that it has not are None."""

    name: str
    outcome: ClauseOutcome
    source: str | None = None  # of `balanced_accuracy` and `shuffled_labels`: which source, which recipe
    champion: float | None = None
    challenger: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    images: int | None = None
    groups: int | None = None

    def sentence(self) -> str:
        """For people: one line."""
        named = self.name if self.source is None else f"{self.name} ({self.source})"
        both = f" {self.champion:.3f} -> {self.challenger:.3f}" if self.champion is not None and self.challenger is not None else ""
        value = f" {self.challenger:.3f}" if self.champion is None and self.challenger is not None else ""
        by = f", by {self.difference:+.3f}" if self.difference is not None else ""
        sign = "" if value else "+"
        bars = f" [{self.low:{sign}.3f}, {self.high:{sign}.3f}]" if self.low is not None and self.high is not None else ""
        count = f" on {self.images} scans of {self.groups} groups" if self.images is not None else ""
        return f"{named}: {self.outcome.value.replace('_', ' ')}{both}{value}{by}{bars}{count}"


@dataclass(frozen=True, config=_CHECKED)
class Ruling:
    """The decision, its reason, and every clause behind it."""

    decision: Decision
    reason: str
    clauses: tuple[Clause, ...]
    uses: int  # how many challengers were judged on this split so far, this one included

    def lines(self) -> list[str]:
        """For people."""
        head = f"gate: {self.decision}: {self.reason} (use {self.uses} of this split)"
        return [head, *(f"gate: {clause.sentence()}" for clause in self.clauses)]


@dataclass(frozen=True, config=_CHECKED)
class ChallengerRuling(Ruling):
    """A ruling, and on whom."""

    name: str  # xray or ct
    champion: str  # by its version
    challenger: str

    @classmethod
    def of(cls, ruling: Ruling, *, name: str, champion: str, challenger: str) -> Self:
        """The ruling on a challenger, judged against a champion."""
        return cls(ruling.decision, ruling.reason, ruling.clauses, ruling.uses, name, champion, challenger)

    def as_json(self) -> dict[str, object]:
        """As `json.dumps` takes it."""
        return asdict(self)
