"""What a report holds: `report.json`, of which the page is made."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from models.records import Bin, MemberRecord
from training.evaluation.card import DescribedEnsemble
from training.rulings import ChallengerRuling


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Point(_Part):
    """Of a line that is drawn."""

    x: float
    y: float


class RocCurve(_Part):
    """A finding against the rest."""

    auroc: float | None  # None: not defined
    points: tuple[Point, ...]  # x: false alarms, y: hits


class Curves(_Part):
    """The lines of one split."""

    roc: dict[str, RocCurve]  # by finding
    reliability_before: tuple[Bin, ...]  # at temperature 1
    reliability: tuple[Bin, ...]  # calibrated
    coverage: tuple[Point, ...]  # x: share of the surest scans, y: share of these that are wrong
    chosen: Point | None  # the same of what the thresholds accept; None where they accept all or nothing


class ShownPicture(_Part):
    """A picture of the split, and how it was answered."""

    label: str
    answer: str
    probability: float  # of the answer
    probabilities: dict[str, float]
    accepted: bool
    member: str  # which looked at it
    picture: str  # data URI, as the network saw it
    explained: str  # data URI, the same under the Grad-CAM of the answer


class ShownPictures(_Part):
    """Some pictures of the split that counts."""

    split: str
    shown: tuple[ShownPicture, ...]


class ReportedVersion(_Part):
    """All that the page shows of one version."""

    version: str
    kind: str  # ensemble or member
    record: Annotated[MemberRecord | DescribedEnsemble, Field(alias="told")]
    curves: dict[str, Curves]  # by split, the one that counts last
    pictures: ShownPictures | None


class Report(_Part):
    """`report.json`."""

    run: str
    made_at: str
    lungline: str  # the version that wrote it
    notice: str
    gate: tuple[ChallengerRuling, ...]
    versions: tuple[ReportedVersion, ...]

    def text(self) -> str:
        """What stands in the file; what is no number is nothing there."""
        return self.model_dump_json(by_alias=True, exclude_unset=True, indent=1)
