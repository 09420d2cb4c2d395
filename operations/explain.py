"""Draws where a member of the ensemble looked for the finding of a scan (Grad-CAM), over what it saw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from db.scan_views import ScanRecord
from imaging.isolate import ReaderPool
from lungline.durable import replace_bytes
from lungline.errors import LedgerError, ModelError, StoreError, UnreadableScan
from lungline.findings import Modality
from lungline.layout import Store
from lungline.settings import Settings
from models.files import EnsembleFiles, Member
from models.registry import find
from workers.inference import READER_BYTES, READER_SECONDS
from workers.reading import FUNCTION, Reading

_SIDE: Final = 448  # pixels of each half of the picture


@dataclass(frozen=True)
class Explanation:
    """A picture of where a member looked."""

    picture: Path  # a PNG file that its owner alone may read
    member: str  # its version
    finding: str  # that it was asked about


def explain_scan(settings: Settings, scan: ScanRecord, name: str | None, out: Path | None) -> Explanation:
    """Draws the map and writes it; the first time in a process, TensorFlow is loaded, which takes seconds.

    Args:
        settings: of this home.
        scan: what the database knows of it.
        name: a member's name or version; None: the one with the greatest weight in the vote.
        out: the PNG file to write, or a folder for it; None: HOME/explained.

    Raises:
        LedgerError: no network has read the scan for findings.
        ModelError: there is no such member, it has no output for the finding, or its files are missing.
        StoreError: the scan's bytes are missing, or the picture cannot be written.
    """
    known = scan.columns
    if known.get("status") == "rejected":
        raise LedgerError(f"This scan was rejected ({known['reason']}): no network looked for findings, so there is nothing to explain.")
    if "finding" not in known:
        raise LedgerError(f"This scan is {known['state']}: no network has looked for findings yet, so there is nothing to explain.")
    finding = str(known["finding"])
    member = _find_member(settings, find(str(known["ensemble"]), Store(settings.store).models), name)
    picture = _seen(settings, scan, member)
    target = out or settings.layout.explained
    if out is None or out.is_dir():
        target = target / f"{scan.scan_id}-{member.version}.png"
    _write(target, _drawn(member, picture, finding), is_ours=out is None)
    return Explanation(target, member.version, finding)


def _find_member(settings: Settings, files: EnsembleFiles, name: str | None) -> Member:
    """A member of the ensemble that judged, or another one of its modality that is at hand."""
    if name is None:
        return max(files.places, key=lambda place: place.weight).member
    members = [place.member for place in files.places]
    if name not in {known_name for member in members for known_name in (member.name, member.version)}:
        from training.evaluation.candidates import list_candidates_at_hand

        known = list_candidates_at_hand(Store(settings.store).models, writes=False)
        members = [
            candidate.what for candidate in known if isinstance(candidate.what, Member) and candidate.what.modality is files.modality
        ]
    for member in members:
        if name in (member.name, member.version):
            return member
    raise ModelError(f"The ensemble for {files.name} has no member of that name; see `lungline models list`.")


def _seen(settings: Settings, scan: ScanRecord, member: Member) -> np.ndarray:
    """The scan as the member sees it, read as the worker does: by a child process, as the bytes are a stranger's."""
    paths = [path for path in Store(settings.store).folder(scan.sha256).glob("*") if path.is_file()]
    if not paths:
        raise StoreError("This scan's file is missing in the store; `lungline reconcile` shows what else is missing.")
    pool = ReaderPool(FUNCTION, 1, timeout=READER_SECONDS, memory_bytes=READER_BYTES)
    try:
        nothing: dict[Modality, tuple[str, ...]] = dict.fromkeys(Modality, ())
        reading: Reading = pool.run(str(paths[0]), scan.sha256, scan.frame, (member.preprocess,), nothing, None)
    except UnreadableScan as error:
        raise StoreError(f"This scan's file can no longer be read ({error.reason}); see docs/reason-codes.md.") from None
    finally:
        pool.close()
    return reading.inputs[member.preprocess]


def _drawn(member: Member, picture: np.ndarray, finding: str) -> bytes:
    """A PNG: what the member saw, and beside it where it looked."""
    from models.explain import Explainer, output_for, side_by_side
    from models.runtimes.keras import KerasRuntime, load_network

    network = load_network(member)
    batch = picture[np.newaxis]
    output = output_for(member, finding, KerasRuntime(network).run(batch)[0])
    (heat,) = Explainer(network).maps(batch, np.array([output], np.intp))
    return side_by_side(picture, heat, _SIDE)


def _write(path: Path, data: bytes, *, is_ours: bool) -> None:
    """Writes a picture of a patient: nobody else may read it."""
    try:
        if is_ours:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_bytes(path, data, mode=0o600)
    except OSError as error:
        raise StoreError(f"The picture cannot be written ({error.strerror}); choose another `--out`.") from None
