"""Networks as OpenVINO takes them, kept in a host's own folder, so that a worker starts without TensorFlow."""

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

import imaging.phantoms
from lungline.child_process import ask
from lungline.durable import replacing
from lungline.errors import ChildError
from models.devices import KERAS_ON_CPU
from models.files import Member

MOST: Final = 32  # networks kept: those that were used last
_CONVERSION_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Converted:
    """A network in OpenVINO's format, and what the reference answers to the drawn pictures of models/runtimes/agreement.py."""

    description: bytes
    weights: bytes
    reference: npt.NDArray[np.float32]  # logits (pictures, outputs)


class ConversionOrder(BaseModel):
    """What models/runtimes/convert.py is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cache: Path
    members: tuple[Path, ...]  # their folders


class ConversionErrors(BaseModel):
    """What models/runtimes/convert.py answers: the members that could not be converted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: dict[str, str]  # version -> kind of error


def find(folder: Path, member: Member, code: str = "") -> Converted | None:
    """The converted network of a member, or None: it was never converted by this very code, or its file is damaged.

    `code` names other code than this.
    """
    path = folder / _name(member, code or _code())
    try:
        with np.load(path, allow_pickle=False) as kept:  # a zip, whose checksums show damage
            found = Converted(kept["description"].tobytes(), kept["weights"].tobytes(), kept["reference"])
        os.utime(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return found


def keep(folder: Path, member: Member, converted: Converted, most: int = MOST) -> None:
    """Puts a converted network in place, whole or not at all, and removes those that were not used for longest, beyond `most`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    description, weights = (np.frombuffer(part, np.uint8) for part in (converted.description, converted.weights))
    with replacing(folder / _name(member, _code())) as draft, draft.open("wb") as file:  # two that convert at once write the same
        np.savez(file, description=description, weights=weights, reference=converted.reference)
    _tidy(folder, most)


def convert(folder: Path, members: Iterable[Member]) -> dict[str, str]:
    """Converts what `folder` lacks, in one process of its own: TensorFlow's 600 MB and threads stay out of this one.

    Returns:
        Of each member that could not be converted, by its version, the kind of error.
    """
    missing = {member.version: member for member in members if find(folder, member) is None}
    if not missing:
        return {}
    order = ConversionOrder(cache=folder, members=tuple(member.folder for member in missing.values()))
    try:
        answer = ask("models.runtimes.convert", order, ConversionErrors, seconds=_CONVERSION_SECONDS, environment=KERAS_ON_CPU)
    except ChildError as error:
        return dict.fromkeys(missing, error.kind)
    return answer.kinds


def _name(member: Member, code: str) -> str:
    """Names all that a converted network was made of: weights, the code that built, drew and converted it, and its libraries."""
    made_of = [member.sha256, member.architecture, member.preprocess, member.outputs, code, version("openvino"), version("keras")]
    return f"{member.name}-{hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]}.npz"


@cache
def _code() -> str:
    """A hash over all code of models/, and the drawn pictures': short, and nothing in it that matters can be forgotten."""
    room = Path(__file__).parent.parent
    sources = [*sorted(room.rglob("*.py")), Path(imaging.phantoms.__file__)]
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def _tidy(folder: Path, most: int) -> None:
    def used(path: Path) -> float:
        with suppress(OSError):
            return path.stat().st_mtime
        return 0.0

    for path in sorted(folder.glob("*.npz"), key=used, reverse=True)[most:]:
        with suppress(OSError):
            path.unlink()
