"""What the JSON files beside weights hold: `member.json`, an ensemble's JSON, and how good each was found to be.

Files of older versions are read, too: what they hold beside these fields is kept, and written again as it was.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from lungline.findings import Modality


class Record(BaseModel):
    """A JSON file, or a part of one. What was never set is not written."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def as_json(self) -> dict[str, JsonValue]:
        """As `json.dumps` takes it."""
        written: dict[str, JsonValue] = self.model_dump(mode="json", exclude_unset=True)
        return written

    def text(self) -> str:
        """What stands in its file."""
        return json.dumps(self.as_json(), indent=2) + "\n"


class Figure(BaseModel):
    """A figure, with the bounds of its 95 % interval; these are None where too few resamples hold what the figure needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float | None = None
    high: float | None = None
    images: int | None = None  # on how many, where that is not all of the data
    groups: int | None = None
    lowest: float | None = None  # of several trainings
    highest: float | None = None

    def text(self) -> str:
        """With its interval, as far as it has one."""
        interval = f" [{self.low:.3f}, {self.high:.3f}]" if self.low is not None and self.high is not None else ""
        return f"{self.value:.3f}{interval}"


class Metrics(Record):
    """Figures by their names, `macro_auroc` for example, beside the counts that they are about."""

    __pydantic_extra__: dict[str, Annotated[Figure | JsonValue, Field(union_mode="left_to_right")]] = Field(init=False)

    images: int | None = None
    groups: int | None = None
    within_source: "dict[str, Metrics] | None" = None  # the same once more for each source, by its name

    @classmethod
    def of(cls, figures: Mapping[str, Figure], **parts: object) -> Self:
        """Figures by their names, and the fields of this record."""
        return cls.model_validate({**parts, **figures})

    def get(self, name: str) -> Figure | None:
        """The figure of that name, if it was measured and is defined."""
        figure = self.__pydantic_extra__.get(name)
        return figure if isinstance(figure, Figure) else None

    def __getitem__(self, name: str) -> Figure:
        """The figure of that name.

        Raises:
            KeyError: it was not measured, or is not defined.
        """
        if (figure := self.get(name)) is None:
            raise KeyError(name)
        return figure

    def __contains__(self, name: object) -> bool:
        """Whether the figure of that name was measured, and is defined."""
        return isinstance(name, str) and self.get(name) is not None


class Bin(Record):
    """A bin of the calibration error."""

    scans: int
    confidence: float  # mean of the answers' probabilities
    accuracy: float


class Evaluation(Metrics):
    """How good a member or an ensemble is on one split: its figures, baselines on the same pictures, and controls."""

    confusion: dict[str, dict[str, int]] | None = None  # label -> answer -> pictures; None of admission
    reliability: tuple[Bin, ...] | None = None
    black_lungs: Metrics | None = None  # on the same pictures with the lungs blacked out
    beside: dict[str, Metrics] | None = None  # baseline -> its figures
    source_in_features: dict[str, Figure] | None = None  # label -> how well its features tell the source of pictures with that label
    left_out: Metrics | None = None  # within each source, of networks that did not learn from it
    lost_to_teacher: Metrics | None = None  # how much better a student's teacher is
    shuffled_labels: Metrics | None = None  # of trainings on shuffled labels


class PublishedFigure(Record):
    """The figure that an article gives."""

    metric: str
    value: float | None  # None: it stands in no text
    on: str  # what it was measured on


class ReproducedFigure(Figure):
    """The same figure, by the published protocol and this member."""

    metric: str


class AsPublished(Record):
    """What came of training by a published system's own protocol, beside what its article says."""

    system: str
    protocol: str
    figure: ReproducedFigure
    published: PublishedFigure
    wrong: tuple[str, ...]  # with the protocol
    unstated: tuple[str, ...]  # settings that the article does not state
    otherwise: tuple[str, ...] = ()  # what was not done as the article does it
    figures: Evaluation  # on what the protocol holds out


class ImportedFrom(Record):
    """The file that an imported member came in."""

    file_sha256: str


class Epoch(Record):
    """What an epoch of training came to."""

    epoch: int
    loss: float | None
    validation_auroc: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    seconds: float | None = None


class Evaluated(Record):
    """What is known of a version's quality."""

    judged_on: str | None = None  # another data set than the one it was made with
    validation: Evaluation | None = None
    figures: Evaluation | None = None  # on the test split
    test_uses: tuple[str, ...] | None = None  # the versions that were evaluated on that test split so far, in order
    from_card: bool | None = None  # in a report: what it says of test was measured before, and stands on its card

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """Split -> how it did there, as far as it was measured."""
        measured = {"val": self.validation, "test": self.figures}
        return {split: evaluation for split, evaluation in measured.items() if evaluation is not None}


class MemberRecord(Evaluated):
    """`member.json`: what a member is, how it was trained, and how good it is."""

    name: str
    recipe: str | None = None
    modality: Modality | None  # None: the admission network
    architecture: str
    preprocess: str
    outputs: tuple[str, ...]
    seed: int | None = None
    base: str | None = None  # the weights that its training started from
    data_sha256: str | None = None  # of the manifest that it learnt from
    versions: dict[str, str] | None = None  # of the libraries
    teacher: str | None = None  # the ensemble that taught it: it is a student
    limit: int | None = None  # it is a trial, on at most so many pictures of each split
    imported: ImportedFrom | None = None
    sha256: str  # of the weights file
    made_by: str | None = None  # a hash of all that decided the weights
    parameters: int | None = None
    trainable: int | None = None
    non_trainable: int | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    temperature: float = 1.0  # its logits are divided by it
    curve: tuple[Epoch, ...] = ()
    as_published: AsPublished | None = None
    threshold: float | None = None  # of the admission network


class PlaceRecord(Record):
    """A member's part in an ensemble."""

    member: str  # by its name
    sha256: str
    weight: float  # in the vote
    temperature: float


class EnsembleRecord(Evaluated):
    """`ensembles/<name>.json`: what an ensemble is made of, and how good it is."""

    number: int
    members: tuple[PlaceRecord, ...]
    thresholds: dict[str, float]


class PoseFigures(Record):
    """How well the pose network knows one kind of picture."""

    doubted: Figure  # the share that it doubts
    known: Figure  # the share whose kind it names exactly
    images: int
    groups: int
    by_source: dict[str, tuple[int, int]]  # source -> how many are doubted, of how many


class NegativeFigures(Record):
    """How many pictures that show no chest the pose network doubts."""

    doubted: int
    images: int


class PoseEvaluation(Record):
    """How well it does on one split: figures by kind (models/pose.py), and on pictures that show no chest."""

    __pydantic_extra__: dict[str, PoseFigures] = Field(init=False)

    neither: NegativeFigures | None = None

    def __getitem__(self, kind: str) -> PoseFigures:
        """The figures of one kind.

        Raises:
            KeyError: it was not measured.
        """
        return self.__pydantic_extra__[kind]

    def __contains__(self, kind: object) -> bool:
        """Whether this kind was measured."""
        return kind in self.__pydantic_extra__


class LeftOutHalf(PoseEvaluation):
    """The same of a training without half of the sources, on that half."""

    epochs: int
    threshold: float


class ShuffledPose(Record):
    """The negative control: a training on shuffled kinds."""

    epochs: int
    known: float  # the share of validation films whose pose it names exactly


class PoseRecord(Record):
    """`pose.json`: what the pose network is, how it was trained, and how good it is."""

    sha256: str  # of the weights file
    kinds: tuple[str, ...]  # its outputs
    threshold: float
    preprocess: str
    parameters: int
    seed: int
    epochs: int
    data_sha256: tuple[str, ...]  # of the manifests
    pictures: dict[str, int]  # that it was trained on, by kind
    volumes: int  # CT series that films were projected from
    libraries: str
    test_uses: tuple[str, ...] | None = None  # the versions that were evaluated on that test split so far, in order
    val: PoseEvaluation | None = None
    test: PoseEvaluation | None = None
    beside: dict[str, float] | None = None  # baseline -> share of test films whose pose it names exactly
    projections: dict[str, dict[str, tuple[int, int]]] | None = None  # series -> from where -> how many are doubted, of how many
    left_out: tuple[LeftOutHalf, ...] | None = None
    shuffled: ShuffledPose | None = None

    def text(self) -> str:
        """What is in its file: a line for each field, as figures by source would fill a thousand."""
        return "{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in self.as_json().items()) + "\n}\n"
