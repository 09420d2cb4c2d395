"""What `lungline bench` finds: figures, each a median of some rounds with the lowest and the highest."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """What can be timed apart."""

    NETWORKS = "networks"
    FLOW = "flow"
    INTAKE = "intake"
    TRAINING = "training"
    SERIES = "series"
    VIEWS = "views"


@dataclass(frozen=True)
class BenchFigure:
    """The median of some rounds, with the lowest and the highest."""

    part: str
    of: str  # what was run
    what: str
    unit: str
    value: float
    low: float
    high: float
    rounds: int

    @classmethod
    def over(cls, part: Part, of: str, what: str, unit: str, rounds: Sequence[float]) -> "BenchFigure":
        """From one value a round."""
        from statistics import median  # imported late: every command reads `Part`, for its help

        return cls(part.value, of, what, unit, median(rounds), min(rounds), max(rounds), len(rounds))
