"""Reading a DICOM header so that a malformed value counts as a missing one."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def value(dataset: "Dataset", keyword: str) -> Any:
    """The value of an element; None if it is absent, empty or malformed."""
    try:
        found = dataset.get(keyword)
    except Exception:  # values are converted when asked for, and a broken one raises whatever its converter meets
        return None
    return None if found == "" else found


def text(dataset: "Dataset", keyword: str) -> str | None:
    """The first value as text without the padding around it; None if there is none."""
    found = value(dataset, keyword)
    if isinstance(found, Sequence) and not isinstance(found, str | bytes):
        found = found[0] if len(found) else None
    if found is None or isinstance(found, bytes):
        return None
    return str(found).strip(" \0") or None


def numbers(dataset: "Dataset", keyword: str) -> list[float]:
    """All values as finite numbers; empty if one of them is none."""
    found = value(dataset, keyword)
    if found is None:
        return []
    try:
        values = [float(number) for number in (found if isinstance(found, Sequence) and not isinstance(found, str | bytes) else [found])]
    except (TypeError, ValueError):
        return []
    return values if all(math.isfinite(number) for number in values) else []


def whole(dataset: "Dataset", keyword: str, default: int) -> int:
    """The first value as an integer; `default` if there is none."""
    found = numbers(dataset, keyword)
    return int(found[0]) if found else default


def items(dataset: "Dataset", keyword: str) -> list["Dataset"]:
    """The items of a sequence; empty if it is absent or malformed."""
    from pydicom.sequence import Sequence as Items

    found = value(dataset, keyword)
    return list(found) if isinstance(found, Items) else []


def words(dataset: "Dataset", *keywords: str) -> list[str]:
    """All values of some elements as upper-case words with single spaces between: `CT_SOM5 MIP` is `CT SOM5 MIP`; empty ones left out."""
    found = [value(dataset, keyword) for keyword in keywords]
    values = [text for each in found for text in ([each] if isinstance(each, str) else each if isinstance(each, Sequence) else [])]
    plain = [re.sub(r"[^A-Z0-9]+", " ", text.upper()).strip() for text in values if isinstance(text, str)]
    return [text for text in plain if text]


def macro(dataset: "Dataset", frame: int, keyword: str) -> "Dataset":
    """A functional group macro of a frame, its own or shared (PS3.3 C.7.6.16.1); the data set itself for objects without."""
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")[frame - 1 : frame]
    for group in (*groups, *items(dataset, "SharedFunctionalGroupsSequence")[:1]):
        if found := items(group, keyword):
            return found[0]
    return dataset
