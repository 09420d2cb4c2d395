"""A clone of UCSD-AI4H/COVID-CT: two archives of CT slices cut out of papers, and lists that split them.

Zhao et al., "COVID-CT-Dataset: a CT Image Dataset about COVID-19" (2020), https://arxiv.org/abs/2003.13865
"""

import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from lungline.errors import TrainingError
from lungline.findings import Modality
from lungline.progress import steps
from training.data.builders.labelled_picture import PICTURES, SPLIT_NAMES, BuildRequest, LabelledPicture, pictures

_SOURCE: Final = "UCSD-AI4H/COVID-CT"
_ARCHIVES: Final = "Images-processed"
_CLASSES: Final = {"COVID": "covid19", "NonCOVID": "non_covid"}
UNPACKED: Final = "covid-ct-pictures"


def clone(request: BuildRequest) -> Iterator[LabelledPicture]:
    """Slices of CT_COVID and CT_NonCOVID, unpacked beside the manifest unless they lie unpacked in the clone. The lists' split is kept.

    The group is the paper that a covid19 slice was printed in, and the figure of the others: patients are known for covid19 alone, and
    slices of one paper look alike whoever they show.

    Raises:
        TrainingError: an archive is missing or damaged.
    """
    folder = request.folder()
    for name, label in _CLASSES.items():
        splits = _splits(folder / "Data-split" / name)
        for path in pictures(_pictures_of(folder, f"CT_{name}", request.beside / UNPACKED)):
            group = f"covid-ct-{name}-{_paper(path.stem)}"
            split = splits.get(path.name, splits.get(path.stem, ""))
            yield LabelledPicture(path, Modality.CT, label, request.source or _SOURCE, group=group, split=split)


def _splits(folder: Path) -> dict[str, str]:
    """File name, and the name without its end, to split, from lists such as trainCT_COVID.txt."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.txt")):
        split = next((SPLIT_NAMES[name] for name in ("train", "val", "test") if path.name.casefold().startswith(name)), "")
        for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
            if split and (name := re.split(r"[/\\]", line.strip())[-1]):
                found[name] = found[_stem(name)] = split
    return found


def _stem(name: str) -> str:
    """A name without a picture's end; names hold dots of their own."""
    path = PurePosixPath(name)
    return path.stem if path.suffix.lower() in PICTURES else name


def _paper(stem: str) -> str:
    """2020.03.22.20040782-p25-1542 -> 2020.03.22.20040782; PIIS0140673620301549_0%1 -> PIIS0140673620301549; 15%2 -> 15."""
    page = re.match(r"(.+?)-p\d+-", stem)
    return page[1] if page else re.sub(r"(_\d+)?(%\d+)?$", "", stem) or stem


def _pictures_of(folder: Path, name: str, unpacked: Path) -> Path:
    for place in (folder / _ARCHIVES / name, folder / name):
        if place.is_dir():
            return place
    archive = folder / _ARCHIVES / f"{name}.zip"
    if not archive.is_file():
        raise TrainingError(f"{_ARCHIVES}/{name}.zip is missing: is this a whole clone of UCSD-AI4H/COVID-CT?")
    _unpack(archive, unpacked / name)
    return unpacked / name


def _unpack(archive: Path, into: Path) -> None:
    """Unpacks pictures by their bare names, so that none lands elsewhere; what is there already stays."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [info for info in opened.infolist() if PurePosixPath(info.filename).suffix.lower() in PICTURES]
            members = [info for info in members if not PurePosixPath(info.filename).name.startswith(".")]
            into.mkdir(parents=True, exist_ok=True)
            with steps(f"data build: unpacking {archive.name}", len(members)) as step:
                for info in members:
                    path = into / re.split(r"[/\\]", info.filename)[-1]
                    if not path.is_file() or path.stat().st_size != info.file_size:
                        with opened.open(info) as packed, path.open("wb") as file:
                            shutil.copyfileobj(packed, file)
                    step()
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise TrainingError(f"{archive.name} cannot be unpacked beside the manifest ({type(error).__name__}); clone it again.") from None
