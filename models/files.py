"""What lies on disk: members and ensemble versions as their JSON files describe them. Imports no network library."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lungline.errors import ModelError
from lungline.findings import Modality

WEIGHTS: Final = "network.weights.h5"  # Keras writes and reads no other ending
MEMBER: Final = "member.json"
CARD: Final = "card.md"
ENSEMBLES: Final = "ensembles"
ADMISSION: Final = "admission"

_REPAIR = "Restore it with `git checkout -- models/shipped`, or install Lungline again."


@dataclass(frozen=True)
class Member:
    """A trained version of a recipe: a folder with weights, `member.json` and a card."""

    folder: Path
    name: str
    modality: Modality | None  # None: the admission network
    architecture: str
    preprocess: str
    outputs: tuple[str, ...]
    sha256: str  # of the weights file
    told: Mapping[str, Any] = field(repr=False)  # all of member.json: how it was trained, and its figures

    @property
    def version(self) -> str:
        """Names the exact weights."""
        return f"{self.name}-{self.sha256[:8]}"

    def checked_weights(self) -> Path:
        """The weights file, after its hash was found right.

        Raises:
            ModelError: it is missing or damaged.
        """
        path = self.folder / WEIGHTS
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            raise ModelError(f"The weights of member `{self.version}` are missing. {_REPAIR}") from None
        if found != self.sha256:
            raise ModelError(f"The weights of member `{self.version}` are damaged. {_REPAIR}")
        return path


@dataclass(frozen=True)
class Place:
    """A member's part in an ensemble."""

    member: Member
    weight: float  # in the vote
    temperature: float  # its logits are divided by it

    def told(self) -> dict[str, object]:
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

    def told(self) -> dict[str, Any]:
        """Everything that changes what it answers."""
        return {
            "name": self.name,
            "number": self.number,
            "modality": self.modality,
            "members": [place.told() for place in self.places],
            "thresholds": dict(self.thresholds),
        }

    @property
    def sha256(self) -> str:
        """The hash over everything that changes what it answers."""
        return hashlib.sha256(json.dumps(self.told(), sort_keys=True).encode()).hexdigest()

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
        told = json.loads((folder / MEMBER).read_text())
        return Member(
            folder=folder,
            name=told["name"],
            modality=Modality(told["modality"]) if told["modality"] else None,
            architecture=told["architecture"],
            preprocess=told["preprocess"],
            outputs=tuple(told["outputs"]),
            sha256=told["sha256"],
            told=told,
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(f"The description of member `{folder.name}` is missing or damaged. {_REPAIR}") from None


def read_ensemble(root: Path, name: str) -> EnsembleFiles:
    """Reads the ensemble `name` (xray, ct, admission) of a folder of models, with its members beside it.

    Raises:
        ModelError: it or a member is missing or malformed, or a member is not the version that the ensemble was made of.
    """
    try:
        told = json.loads((root / ENSEMBLES / f"{name}.json").read_text())
        wanted = [(str(each["member"]), str(each["sha256"]), float(each["weight"]), float(each["temperature"])) for each in told["members"]]
        number, thresholds = int(told["number"]), {str(key): float(value) for key, value in told["thresholds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"The ensemble `{name}` is missing or damaged. {_REPAIR}") from None
    places = tuple(Place(read_member(root / member), weight, temperature) for member, _, weight, temperature in wanted)
    for place, (_, sha256, _, _) in zip(places, wanted, strict=True):
        if place.member.sha256 != sha256:
            raise ModelError(f"Member `{place.member.version}` is not the one that ensemble `{name}` was made of. {_REPAIR}")
    return EnsembleFiles(name, number, None if name == ADMISSION else Modality(name), places, thresholds)


def write_ensemble(
    root: Path, name: str, *, number: int, places: Sequence[tuple[Member, float, float]], thresholds: Mapping[str, float]
) -> None:
    """Writes what `read_ensemble` reads; `places` are members with vote weight and temperature."""
    folder = root / ENSEMBLES
    folder.mkdir(parents=True, exist_ok=True)
    members = [
        {"member": member.name, "sha256": member.sha256, "weight": weight, "temperature": temperature}
        for member, weight, temperature in places
    ]
    told = {"number": number, "members": members, "thresholds": dict(thresholds)}
    (folder / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n")
