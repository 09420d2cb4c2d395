"""A member's network as a file for other libraries and small machines: written, run again and compared with Keras, else not written."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any, Final

from lungline import RESEARCH_USE
from lungline.child_process import ask
from lungline.durable import copy_into_place
from lungline.errors import ChildError, ModelError
from models.devices import KERAS_ON_CPU
from models.files import Member
from models.interchange.messages import ExportOrder, ExportResult
from models.preprocess import in_words
from models.runtimes import agreement

# format -> ending of what is written: a file, for openvino another one beside it, for savedmodel a folder
ENDINGS: Final = {"litert": ".tflite", "onnx": ".onnx", "openvino": ".xml", "savedmodel": ".savedmodel"}

_SECONDS: Final = 1800.0  # the largest network took two minutes on a busy machine

_LICENCE: Final = (
    "Weights follow the terms of the pictures and of the public weights that they were computed from: for those that ship with Lungline "
    "see models/shipped/LICENSE-weights.md; for others ask whoever trained them."
)


def export(member: Member, form: str, out: Path) -> Path:
    """Writes a member's network, and beside it a JSON file that says what goes in and what comes out.

    A file at `out` is replaced. Interrupted, it leaves nothing half-written: the network comes last, and whole.

    Args:
        member: whose network.
        form: one of `ENDINGS`.
        out: the file; or a folder that is there, which gets one named by the member's version.

    Returns:
        What was written; the JSON file has the same name with `.json` behind it.

    Raises:
        ModelError: the weights are damaged, the network cannot be written in this format, or the written one does not answer as Keras
            does; or `out` cannot be written to.
    """
    target = out / f"{member.version}{ENDINGS[form]}" if out.is_dir() else out
    if form == "openvino" and target.suffix != ENDINGS[form]:
        raise ModelError("An OpenVINO network is two files, .xml and .bin: --out must end with .xml.")
    if target.is_dir():
        raise ModelError("A folder of that name exists already: remove it, or give another place with --out.")
    member.checked_weights()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / f"network{ENDINGS[form]}"
        written = _write(member, form, made)
        if not written.difference <= agreement.LIMIT:
            raise ModelError(
                f"As {form}, member `{member.version}` does not answer as in Keras (a probability moves by "
                f"{written.difference:.1e}): nothing was written. Try another --format."
            )
        parts = {made.with_suffix(".bin"): target.with_suffix(".bin")} if form == "openvino" else {}
        parts |= {made: target}
        note = made.with_name("description.json")
        note.write_text(json.dumps(describe(member, form, written, parts), indent=2) + "\n")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            for source, place in ({note: target.with_name(f"{target.name}.json")} | parts).items():
                copy_into_place(source, place)
        except OSError as error:
            raise ModelError(f"The export cannot be written ({error.strerror}): give another place with --out.") from None
    return target


def describe(member: Member, form: str, written: ExportResult, parts: dict[Path, Path]) -> dict[str, Any]:
    """What someone who has nothing but the exported file must know.

    Args:
        member: whose network was exported.
        form: one of `ENDINGS`.
        written: what models/interchange/write.py answered.
        parts: each written file or folder -> what it will be called.
    """
    temperature = member.record.temperature
    return {
        "version": member.version,
        "modality": member.modality,
        "architecture": member.architecture,
        "weights_sha256": member.sha256,
        "format": form,
        "sha256": {name: digest for source, place in parts.items() for name, digest in _digests(source, place.name)},
        "input": {
            "shape": written.input,
            "type": "float32",
            "range": [0, 1],
            "preprocess": member.preprocess,
            "in_words": in_words(member.preprocess),
        },
        "output": {"shape": written.output, "type": "float32", "what": "logits, one a finding", "findings": list(member.outputs)},
        "temperature": temperature,
        "probabilities": f"softmax(logits / {temperature})",
        "compared_with_keras": {
            "pictures": len(agreement.draw_pictures(member.preprocess)),
            "probability_moves_at_most": written.difference,
            "allowed": agreement.LIMIT,
        },
        "licence": _LICENCE,
        "use": RESEARCH_USE,
    }


def _write(member: Member, form: str, made: Path) -> ExportResult:
    """Has a process of its own write the network; what its libraries print is dropped."""
    order = ExportOrder(member=member.folder.resolve(), form=form, path=made)
    try:
        return ask("models.interchange.write", order, ExportResult, seconds=_SECONDS, environment=KERAS_ON_CPU)
    except ChildError as error:
        raise ModelError(f"Member `{member.version}` cannot be written as {form} ({error.kind}): try another --format.") from None


def _digests(source: Path, name: str) -> list[tuple[str, str]]:
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    return [((Path(name) / path.relative_to(source)).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
