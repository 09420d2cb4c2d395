"""Networks as OpenVINO takes them, kept in a host's own folder, so that a worker starts without TensorFlow."""

import hashlib
import json
import os
import subprocess
import sys
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

import imaging.phantoms
from lungline.durable import replacing
from models.files import Member

MOST: Final = 32  # networks kept; who was used last stays
_CONVERSION_SECONDS: Final = 600.0
_UNKNOWN: Final = "the converter died"


@dataclass(frozen=True)
class Converted:
    """A network in OpenVINO's format, and what the reference answers to the drawn pictures of models/runtimes/agreement.py."""

    description: bytes
    weights: bytes
    reference: npt.NDArray[np.float32]  # logits (pictures, outputs)


def find(folder: Path, member: Member, code: str = "") -> Converted | None:
    """The converted network of a member, or None: it was never converted by this very code, or its file is damaged.

    `code` names other code than this.
    """
    path = folder / _name(member, code or _code())
    try:
        with np.load(path, allow_pickle=False) as kept:  # a zip, whose checksums tell damage
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
    command = [sys.executable, "-P", "-m", "models.runtimes.convert", str(folder)]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    try:
        done = subprocess.run(
            command,
            input=json.dumps([str(member.folder) for member in missing.values()]),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            timeout=_CONVERSION_SECONDS,
            check=False,
        )
        errors: dict[str, str] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        return dict.fromkeys(missing, type(error).__name__)
    return {name: errors.get(name, _UNKNOWN) for name in missing if errors.get(name, _UNKNOWN)}


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
