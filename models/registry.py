"""Which models there are, shipped or in the store, and how they are loaded, every hash checked. Keras is imported only to load."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from lungline.errors import ModelError
from lungline.findings import Modality
from models.admission import NEITHER, Admission
from models.ensemble import Ensemble, Review, Seat
from models.files import ADMISSION, CARD, ENSEMBLES, MEMBER, EnsembleFiles, Member, Place, read_ensemble, read_member, stored_members
from models.records import Evaluation
from models.runtimes import Runtime, agreement
from models.runtimes.choice import RuntimeChoice

log = structlog.get_logger()

SHIPPED: Final = Path(__file__).parent / "shipped"
REFERENCE: Final = RuntimeChoice("keras", Path())


def shipped(root: Path = SHIPPED) -> dict[Modality, EnsembleFiles]:
    """The ensemble of each modality that the repository ships.

    Raises:
        ModelError: a description is missing or damaged. Weights are looked at only when they are loaded.
    """
    return {modality: read_ensemble(root, modality.value) for modality in Modality}


def shipped_admission(root: Path = SHIPPED) -> EnsembleFiles:
    """The admission network that the repository ships, as an ensemble of one.

    Raises:
        ModelError: its description is missing or damaged.
    """
    return read_ensemble(root, ADMISSION)


def find(version: str, store: Path) -> EnsembleFiles:
    """The files of an ensemble version, shipped or in the store.

    Args:
        version: as `lungline models list` prints it.
        store: the store's folder of models.

    Raises:
        ModelError: they are not at hand, or a description is damaged. Weights are looked at only when they are loaded.
    """
    for files in (*shipped().values(), shipped_admission()):
        if files.version == version:
            return files
    if not (store / ENSEMBLES / f"{version}.json").is_file():
        raise ModelError(f"The files of `{version}` are missing: restore LUNGLINE_STORE's `models`, or see `lungline models rollback`.")
    return read_ensemble(store, version)


def find_member(version: str, store: Path) -> Member:
    """A member's version, shipped or in the store, whether an ensemble has it or not.

    Args:
        version: as `lungline models list` prints it.
        store: the store's folder of models.

    Raises:
        ModelError: its description is not at hand, or damaged. Weights are looked at only when they are loaded.
    """
    name = version.rpartition("-")[0]
    for folder in (SHIPPED / name, store / name / version):
        if (folder / MEMBER).is_file() and (member := read_member(folder)).version == version:
            return member
    raise ModelError(f"The files of `{version}` are missing: restore LUNGLINE_STORE's `models`.")


def load_ensemble(files: EnsembleFiles, choice: RuntimeChoice = REFERENCE) -> Ensemble:
    """Loads every member of an ensemble; takes seconds.

    Raises:
        ModelError: a member's weights are missing, damaged, or do not fit, or the runtime that was asked for cannot run it.
    """
    choice.prepare(files.places)
    return assemble(files, [choice.make(place) for place in files.places])


def assemble(files: EnsembleFiles, runtimes: Sequence[Runtime]) -> Ensemble:
    """The ensemble of a version, its members run by `runtimes`, in their order.

    Raises:
        ModelError: it is none of a modality, its members do not fit it, or it lacks a threshold.
    """
    if files.modality is None:
        raise ModelError(f"`{files.version}` is the admission network, not an ensemble of a modality.")
    seats = [_seat(place, runtime) for place, runtime in zip(files.places, runtimes, strict=True)]
    return Ensemble(files.version, files.modality, seats, Review(**_thresholds(files, "margin", "disagreement")))


def load_admission(files: EnsembleFiles, choice: RuntimeChoice = REFERENCE) -> Admission:
    """Loads the admission network.

    Raises:
        ModelError: its weights are missing, damaged, or do not fit, or the runtime that was asked for cannot run it.
    """
    if len(files.places) != 1:
        raise ModelError(f"Admission `{files.version}` needs exactly one member.")
    return assemble_admission(files, choice.make(files.places[0]))


def assemble_admission(files: EnsembleFiles, runtime: Runtime) -> Admission:
    """The admission network of a version, run by `runtime`.

    Raises:
        ModelError: its outputs are not those of admission, or it lacks its threshold.
    """
    member = files.places[0].member
    return Admission(files.version, member.preprocess, member.outputs, _thresholds(files, NEITHER)[NEITHER], runtime)


def try_out(part: Admission | Ensemble) -> None:
    """Lets a loaded ensemble or admission network judge a drawn chest.

    Raises:
        ModelError: it gives a number that is none, or fails.
    """
    try:
        if isinstance(part, Admission):
            part.judge(agreement.draw_pictures(part.preprocess)[:1])
        else:
            part.judge({name: agreement.draw_pictures(name)[:1] for name in part.preprocesses})
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"`{part.version}` cannot read a drawn chest ({type(error).__name__}); run `lungline doctor`.") from None


def _thresholds(files: EnsembleFiles, *names: str) -> dict[str, float]:
    try:
        return {name: files.thresholds[name] for name in names}
    except KeyError:
        raise ModelError(f"Ensemble `{files.version}` has no threshold for: {', '.join(names)}.") from None


def _seat(place: Place, runtime: Runtime) -> Seat:
    member = place.member
    return Seat(
        member=member.name,
        version=member.version,
        preprocess=member.preprocess,
        outputs=member.outputs,
        temperature=place.temperature,
        weight=place.weight,
        runtime=runtime,
    )


@dataclass(frozen=True)
class Description:
    """A version as people and the database see it."""

    version: str
    kind: str  # member or ensemble
    name: str
    modality: Modality | None  # None: admission
    sha256: str
    shipped: bool  # else it lies in the store
    members: tuple[str, ...]  # an ensemble's, by their versions
    evaluations: Mapping[str, Evaluation]  # data -> how it did there
    contents: Mapping[str, object]  # all that its files say
    card: Path | None

    def text(self) -> str:
        """For a terminal: its card, or else all that is told of it."""
        return self.card.read_text(encoding="utf-8").rstrip() if self.card and self.card.exists() else json.dumps(self.contents, indent=2)


def list_descriptions(store: Path) -> list[Description]:
    """Every ensemble that ships or lies in the store, each followed by its members; and the members that joined none, as students do.

    What is damaged in the store is passed over.

    Args:
        store: the store's folder of models.

    Raises:
        ModelError: a shipped description is missing or damaged.
    """
    found: dict[str, Description] = {}
    for files in (*shipped().values(), shipped_admission()):
        _describe(files, True, found)
    for path in sorted(SHIPPED.glob(f"*/{MEMBER}")):
        _describe_member(read_member(path.parent), True, found)
    for path in sorted((store / ENSEMBLES).glob("*.json")):
        try:
            _describe(read_ensemble(store, path.stem), False, found)
        except ModelError as error:
            log.warning("a version in the store is ignored", why=str(error))
    for folder in stored_members(store):
        try:
            _describe_member(read_member(folder), False, found)
        except ModelError as error:
            log.warning("a version in the store is ignored", why=str(error))
    return list(found.values())


def _describe(files: EnsembleFiles, shipped: bool, found: dict[str, Description]) -> None:
    contents = {"version": files.version, **files.as_json()}
    members = tuple(place.member.version for place in files.places)
    ensemble = Description(
        files.version, "ensemble", files.name, files.modality, files.sha256, shipped, members, files.evaluations, contents, files.card
    )
    found.setdefault(files.version, ensemble)
    for place in files.places:
        _describe_member(place.member, shipped, found)


def _describe_member(member: Member, shipped: bool, found: dict[str, Description]) -> None:
    contents = {"version": member.version, **member.record.as_json()}
    card = member.folder / CARD
    described = Description(
        member.version, "member", member.name, member.modality, member.sha256, shipped, (), member.evaluations, contents, card
    )
    found.setdefault(member.version, described)
