"""What a child process needs to make an object."""

import uuid
from dataclasses import dataclass
from typing import Final

from pacs.evidence import Evidence

_NAMESPACE: Final = uuid.UUID("b0b8a1f6-5f0c-4f0e-9c58-6f1d5d1c7a53")


@dataclass(frozen=True)
class Identity:
    """The UIDs of one object. They derive from what it tells and to whom, so that the same object sent twice is one to its receiver."""

    series_uid: str
    instance_uid: str
    number: int
    """Of the instance in its series, from 1: objects of later assessments follow in the same series."""
    former_uid: str | None
    """The instance that this one follows."""


@dataclass(frozen=True)
class ObjectOrder:
    """One object to be made."""

    kind: str
    """`sc` or `sr`."""
    evidence: Evidence
    paths: dict[str, str]
    """Scan -> its original file."""
    identity: Identity


def identify(kind: str, target: str, study_id: str, assessment_id: str, number: int, former: str | None) -> Identity:
    """The UIDs of an object of an assessment, for a target.

    Args:
        kind: `sc` or `sr`.
        target: as the setting names it.
        study_id: of the database.
        assessment_id: likewise; every new assessment has another.
        number: how many there were before in this series, plus one.
        former: the assessment that was sent before.
    """
    return Identity(
        series_uid=_uid(kind, target, study_id),
        instance_uid=_uid(kind, target, assessment_id),
        number=number,
        former_uid=_uid(kind, target, former) if former else None,
    )


def _uid(*parts: str) -> str:
    """A UID derived from a UUID (DICOM PS3.5 B.2), and that from the parts."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(0).join(parts)).int}"
