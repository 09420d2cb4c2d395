"""What lies on disk: members and ensemble versions as their JSON files describe them. Imports no network library."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from lungline.durable import copy_into_place, replace_text, sync_folder
from lungline.errors import ModelError
from lungline.findings import Modality
from models.records import EnsembleRecord, Evaluation, MemberRecord, PlaceRecord

WEIGHTS: Final = "network.weights.h5"  # Keras writes and reads no other ending
MEMBER: Final = "member.json"
CARD: Final = "card.md"
ENSEMBLES: Final = "ensembles"
ADMISSION: Final = "admission"

REPAIR: Final = (
    "Restore it with `git checkout -- models/shipped`, or LUNGLINE_STORE's `models` from its backup, "
    "or go back to the previous version with `lungline models rollback`."
)


@dataclass(frozen=True)
class Member:
    """A trained version of a recipe: a folder with weights, `member.json` and a card."""

    folder: Path
    record: MemberRecord = field(repr=False)

    @property
    def name(self) -> str:
        """Of the recipe, mostly; other trainings of it have the same."""
        return self.record.name

    @property
    def modality(self) -> Modality | None:
        """None: the admission network."""
        return self.record.modality

    @property
    def architecture(self) -> str:
        """Of its network, a name of models/architectures/."""
        return self.record.architecture

    @property
    def preprocess(self) -> str:
        """What its pictures go through, a name of models/preprocess.py."""
        return self.record.preprocess

    @property
    def outputs(self) -> tuple[str, ...]:
        """What each of its logits stands for."""
        return self.record.outputs

    @property
    def sha256(self) -> str:
        """Of the weights file."""
        return self.record.sha256

    @property
    def version(self) -> str:
        """Names the exact weights."""
        return f"{self.name}-{self.sha256[:8]}"

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """Data -> how it did there; `as_published`: on what a published protocol holds out."""
        own = self.record.as_published
        return self.record.evaluations | ({"as_published": own.figures} if own else {})

    def checked_weights(self) -> Path:
        """The weights file, after its hash was found right.

        Raises:
            ModelError: it is missing or damaged.
        """
        path = self.folder / WEIGHTS
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            raise ModelError(f"The weights of member `{self.version}` are missing. {REPAIR}") from None
        if found != self.sha256:
            raise ModelError(f"The weights of member `{self.version}` are damaged. {REPAIR}")
        return path


@dataclass(frozen=True)
class Place:
    """A member's part in an ensemble."""

    member: Member
    weight: float  # in the vote
    temperature: float  # its logits are divided by it

    def as_json(self) -> dict[str, object]:
        """Everything that changes what the member answers."""
        return {
            "member": self.member.name,
            "sha256": self.member.sha256,
            "architecture": self.member.architecture,
            "preprocess": self.member.preprocess,
            "outputs": list(self.member.outputs),
            "weight": self.weight,
            "temperature": self.temperature,
        }


@dataclass(frozen=True)
class EnsembleFiles:
    """An ensemble version: members, weights, calibration and thresholds. The admission network is one, too, with one member."""

    name: str  # xray, ct or admission
    number: int
    modality: Modality | None  # None: admission
    places: tuple[Place, ...]
    thresholds: Mapping[str, float]  # margin and disagreement of a review; for admission, neither
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict, repr=False)  # data -> how it did there, where that was measured
    card: Path | None = None  # where it was judged

    def as_json(self) -> dict[str, object]:
        """Everything that changes what it answers."""
        return {
            "name": self.name,
            "number": self.number,
            "modality": self.modality,
            "members": [place.as_json() for place in self.places],
            "thresholds": dict(self.thresholds),
        }

    @property
    def sha256(self) -> str:
        """The hash over everything that changes what it answers."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    @property
    def version(self) -> str:
        """Names the exact members, weights, calibration and thresholds."""
        return f"{self.name}-{self.number}-{self.sha256[:8]}"


def read_member(folder: Path) -> Member:
    """Reads `member.json` in `folder`.

    Raises:
        ModelError: it is missing or malformed.
    """
    try:
        return Member(folder, MemberRecord.model_validate_json((folder / MEMBER).read_bytes()))
    except (OSError, ValidationError):
        raise ModelError(f"The description of member `{folder.name}` is missing or damaged. {REPAIR}") from None


def read_ensemble(root: Path, stem: str) -> EnsembleFiles:
    """Reads `ensembles/<stem>.json` of a folder of models, with its members beside it.

    Args:
        root: `ensembles/xray.json` beside `xray-mobilenetv2/`, as Lungline ships it; or, where versions stand side by side, the store's
            `ensembles/xray-1-e45a8c4c.json` beside `xray-mobilenetv2/xray-mobilenetv2-0dfc7892/`.
        stem: xray, ct or admission; or a version of one.

    Raises:
        ModelError: it or a member is missing or malformed, a member is not the version that the ensemble was made of, or it is not the
            version that its file's name says.
    """
    card = root / ENSEMBLES / f"{stem}.md"
    name, path = stem.partition("-")[0], root / ENSEMBLES / f"{stem}.json"
    try:
        record = EnsembleRecord.model_validate_json(path.read_bytes())
        modality = None if name == ADMISSION else Modality(name)
    except (OSError, ValueError):
        raise ModelError(f"The ensemble `{stem}` is missing or damaged. {REPAIR}") from None
    places = tuple(Place(_find_member(root, part.member, part.sha256), part.weight, part.temperature) for part in record.members)
    for place, part in zip(places, record.members, strict=True):
        if place.member.sha256 != part.sha256:
            raise ModelError(f"Member `{place.member.version}` is not the member that ensemble `{name}` was made with. {REPAIR}")
    found = EnsembleFiles(name, record.number, modality, places, record.thresholds, record.evaluations, card if card.exists() else None)
    if stem not in (name, found.version):
        raise ModelError(f"The ensemble `{stem}` is missing or damaged. {REPAIR}")
    return found


def _find_member(root: Path, name: str, sha256: str) -> Member:
    version = root / name / f"{name}-{sha256[:8]}"
    return read_member(version if version.is_dir() else root / name)


def adopt(folder: Path, store: Path) -> list[EnsembleFiles]:
    """Takes every ensemble and member of `folder`, as training writes them, into the store of models, where each has a place of its own.

    A version that is there already is the same, and stays; its description and card are the newer ones, unless they tell of fewer splits.
    Interrupted, it leaves no half version behind, and may be asked again.

    Raises:
        ModelError: a file is missing or damaged; all that is whole was taken.
    """
    adopted, faults = [], []
    for path in sorted(folder.glob(f"[!.]*/{MEMBER}")):  # a draft's name begins with a dot
        try:
            _adopt_member(read_member(path.parent), store)
        except ModelError as error:
            faults.append(str(error))
    for path in sorted((folder / ENSEMBLES).glob("*.json")):
        try:
            adopted.append(_adopt_ensemble(folder, path, store))
        except ModelError as error:
            faults.append(str(error))
    if faults:
        all_faults = " ".join(dict.fromkeys(fault.removesuffix(REPAIR).strip() for fault in faults))
        raise ModelError(
            f"{all_faults} Train by its recipe again, or remove the member's folder, and the ensemble's JSON from `{ENSEMBLES}` beside it. "
            "Everything else that was trained is in the store."
        )
    return adopted


def _adopt_member(member: Member, store: Path) -> None:
    member.checked_weights()
    target = store / member.name / member.version
    if target.exists() and not is_whole(target):
        shutil.rmtree(target)
    if not target.exists():
        _copy(member.folder, target)
    elif set(member.evaluations) >= set(read_member(target).evaluations):
        for name in (CARD, MEMBER):
            if (member.folder / name).exists():  # a training that was killed while it judged left no card
                _copy(member.folder / name, target / name)


def is_whole(folder: Path) -> bool:
    """Whether a member lies there, undamaged."""
    try:
        read_member(folder).checked_weights()
    except ModelError:
        return False
    return True


def _adopt_ensemble(folder: Path, path: Path, store: Path) -> EnsembleFiles:
    files = read_ensemble(folder, path.stem)
    for place in files.places:
        _adopt_member(place.member, store)
    try:
        known = read_ensemble(store, files.version)
    except ModelError:
        known = None
    if known is None or set(files.evaluations) >= set(known.evaluations):
        if files.card:
            _copy(files.card, store / ENSEMBLES / f"{files.version}.md")
        _copy(path, store / ENSEMBLES / f"{files.version}.json")  # last: now the version is there
    return read_ensemble(store, files.version)


def stored_members(store: Path) -> list[Path]:
    """The folders of the members in the store of models, whether they joined an ensemble or not."""
    return sorted(path.parent for path in store.glob(f"*/*/{MEMBER}") if not path.parent.name.startswith("."))


def _copy(source: Path, target: Path) -> None:
    """Copies a file over an older one, or a folder where there is none; a promotion that survives a power cut must find its files."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sync_folder(target.parent.parent)
    try:
        copy_into_place(source, target)
    except OSError:
        if not target.is_dir():  # another was quicker
            raise


def write_ensemble(
    root: Path, name: str, *, number: int, places: Sequence[tuple[Member, float, float]], thresholds: Mapping[str, float]
) -> None:
    """Writes what `read_ensemble` reads; `places` are members with vote weight and temperature."""
    folder = root / ENSEMBLES
    folder.mkdir(parents=True, exist_ok=True)
    members = tuple(
        PlaceRecord(member=member.name, sha256=member.sha256, weight=weight, temperature=temperature)
        for member, weight, temperature in places
    )
    record = EnsembleRecord(number=number, members=members, thresholds=dict(thresholds))
    replace_text(folder / f"{name}.json", record.text())
