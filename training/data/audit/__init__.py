"""The audit of a data set, before anything is trained on it: leaks between its splits, copies, clashes and shortcuts."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lungline.durable import replace_text
from lungline.errors import TrainingError
from lungline.progress import steps
from training.data import manifests
from training.data.audit import checks, likeness
from training.data.audit.checks import Finding, Severity
from training.data.audit.image_statistics import measure_all
from training.data.audit.shortcuts import Separation

_RULES: Final = 1  # counts up when the checks change, so that what was found by older ones is not believed


@dataclass(frozen=True)
class Audit:
    """What the audit found, and how well classes are told without a look at the lungs."""

    findings: tuple[Finding, ...]
    figures: tuple[Separation, ...]

    @property
    def errors(self) -> list[Finding]:
        """What keeps the data from being trained on."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]


def audit(manifest: Path) -> Audit:
    """Reads every picture of a manifest once, and checks it.

    Raises:
        TrainingError: the manifest itself cannot be read.
    """
    rows = manifests.read(manifest)
    with steps("data check: reading pictures", len(rows)) as step:
        statistics = measure_all([row.path for row in rows], step)
    pairs = likeness.by_modality([row.modality for row in rows], statistics)
    figures, shortcuts = checks.shortcut(rows, statistics)
    findings = [
        *checks.split_leak(rows),
        *checks.near_duplicate(rows, pairs),
        *checks.label_clash(rows, pairs),
        *checks.unreadable(rows, statistics),
        *shortcuts,
        *checks.single_source(rows),
        *checks.imbalance(rows),
    ]
    return Audit(tuple(sorted(findings, key=lambda finding: finding.severity)), tuple(figures))


def require_sound(manifest: Path, audits: Path) -> None:
    """Refuses a data set whose audit has errors. A manifest and its pictures are audited once, unless they change.

    Args:
        manifest: as `lungline data check` takes it.
        audits: the folder in which it is remembered which errors were found.

    Raises:
        TrainingError: there are errors, or the manifest cannot be read.
    """
    try:
        names: list[str] = json.loads(_place(manifest, audits).read_text())["errors"]
    except (OSError, ValueError, KeyError):
        found = audit(manifest)
        remember(manifest, audits, found)
        names = _names(found)
    if names:
        raise TrainingError(
            f"The data set has errors that would make figures too good, or stop the training: {', '.join(names)}. "
            "`lungline data check` on its manifest shows where; `lungline data build --from manifest --only-sound` leaves out what it can."
        )


def remember(manifest: Path, audits: Path, found: Audit) -> None:
    """Keeps the names of the checks that found errors, so that `require_sound` need not look at every picture again."""
    place = _place(manifest, audits)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        replace_text(place, json.dumps({"errors": _names(found)}))
    except OSError:
        pass  # then all is looked at again


def _names(found: Audit) -> list[str]:
    return sorted({finding.check for finding in found.errors})


def _place(manifest: Path, audits: Path) -> Path:
    return audits / f"{_state(manifest)}.json"


def _state(manifest: Path) -> str:
    """Changes with the manifest's bytes, with the size or time of any picture, and with the rules."""
    digest = hashlib.sha256(f"{_RULES}".encode())
    for row in manifests.read(manifest):
        try:
            status = row.path.stat()
            digest.update(f"{status.st_size} {status.st_mtime_ns}\n".encode())
        except OSError:
            digest.update(b"-\n")
    digest.update(manifest.read_bytes())
    return digest.hexdigest()
