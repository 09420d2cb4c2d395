"""Which models there are, and how they are loaded: shipped in the repository, every hash checked. Keras is imported only to load."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lungline.errors import ModelError
from lungline.findings import Modality
from models.admission import NEITHER, Admission
from models.ensemble import Ensemble, Review, Seat
from models.files import ADMISSION, CARD, EnsembleFiles, Member, Place, read_ensemble

if TYPE_CHECKING:
    from models.engines.keras import KerasEngine

SHIPPED: Final = Path(__file__).parent / "shipped"


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


def load_ensemble(files: EnsembleFiles) -> Ensemble:
    """Loads every member of an ensemble; takes seconds.

    Raises:
        ModelError: a member's weights are missing, damaged, or do not fit.
    """
    if files.modality is None:
        raise ModelError(f"`{files.version}` is the admission network, not an ensemble of a modality.")
    seats = [_seat(place) for place in files.places]
    return Ensemble(files.version, files.modality, seats, Review(**_thresholds(files, "margin", "disagreement")))


def load_admission(files: EnsembleFiles) -> Admission:
    """Loads the admission network.

    Raises:
        ModelError: its weights are missing, damaged, or do not fit.
    """
    if len(files.places) != 1:
        raise ModelError(f"Admission `{files.version}` needs exactly one member.")
    member = files.places[0].member
    threshold = _thresholds(files, NEITHER)[NEITHER]
    return Admission(files.version, member.preprocess, member.outputs, threshold, _engine(member))


def _thresholds(files: EnsembleFiles, *names: str) -> dict[str, float]:
    try:
        return {name: files.thresholds[name] for name in names}
    except KeyError:
        raise ModelError(f"Ensemble `{files.version}` lacks a threshold of: {', '.join(names)}.") from None


def _seat(place: Place) -> Seat:
    member = place.member
    return Seat(
        member=member.name,
        version=member.version,
        preprocess=member.preprocess,
        outputs=member.outputs,
        temperature=place.temperature,
        weight=place.weight,
        engine=_engine(member),
    )


def _engine(member: Member) -> "KerasEngine":
    from models.architectures import build
    from models.engines.keras import KerasEngine
    from models.weights import load

    weights = member.checked_weights()
    network = build(member.architecture, len(member.outputs))
    try:
        load(network, weights)
    except Exception as error:  # Keras and HDF5 raise all kinds for a file that does not fit
        raise ModelError(
            f"The weights of member `{member.version}` do not fit its network ({type(error).__name__}); "
            "restore it with `git checkout -- models/shipped`, or install Lungline again."
        ) from None
    return KerasEngine(network)


@dataclass(frozen=True)
class Description:
    """A version as people and the database see it."""

    version: str
    kind: str  # member or ensemble
    name: str
    modality: Modality | None  # None: admission
    sha256: str
    told: Mapping[str, Any]
    card: Path | None  # a member's

    def text(self) -> str:
        """For a terminal: a member's card, or an ensemble's description."""
        return self.card.read_text().rstrip() if self.card else json.dumps(self.told, indent=2)


def descriptions(root: Path = SHIPPED) -> list[Description]:
    """Every ensemble that ships, each followed by its members.

    Raises:
        ModelError: a description is missing or damaged.
    """
    found: dict[str, Description] = {}
    for files in (*shipped(root).values(), shipped_admission(root)):
        told = {"version": files.version, **files.told()}
        found[files.version] = Description(files.version, "ensemble", files.name, files.modality, files.sha256, told, None)
        for place in files.places:
            member = place.member
            told = {"version": member.version, **member.told}
            found[member.version] = Description(
                member.version, "member", member.name, member.modality, member.sha256, told, member.folder / CARD
            )
    return list(found.values())
