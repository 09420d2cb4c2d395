"""The checks of a manifest, each a function that yields what it finds. Details tell rows by number, and name classes and sources alone."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lungline.findings import FINDINGS, Modality
from training.data.audit import likeness, shortcuts
from training.data.audit.image_statistics import ImageStatistics
from training.data.audit.likeness import Pair
from training.data.manifests import SPLITS, Row

_SHOWN: Final = 20  # findings of one kind, before the rest are only counted

BLOCKING_AUROC: Final = 0.95
WARNING_AUROC: Final = 0.7
_FEWEST_DEVIATIONS: Final = 2.0  # above chance, before a figure counts: of a few groups some are told by luck

_IMBALANCE: Final = 4.0
_USED_SPLITS: Final = ("train", "val", "test")

# What these tell of a class, the lungs may tell too: a hazy lung packs worse. The others cannot know.
_NEVER_BLOCKING: Final = frozenset({"bytes", "size, border and bytes"})


class Severity(StrEnum):
    """Whether a finding keeps `lungline train` from using the data."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a data set. `detail` names rows by number, never a patient, group or file."""

    check: str
    severity: Severity
    detail: str


def split_leak(rows: Sequence[Row]) -> Iterator[Finding]:
    """A patient or group on two sides; and splits that nothing reads."""
    unknown = [row.number for row in rows if row.split not in SPLITS]
    if unknown:
        yield _error("split_leak", f"{_rows(unknown)}: the split is none of {', '.join(SPLITS)}")
    leaks = []
    for what in ("patient", "group"):
        of: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if name := getattr(row, what):
                of[name].append(row)
        torn = {tuple(row.number for row in same): same for same in of.values() if len({row.side for row in same}) > 1}
        leaks += [(numbers, f"one {what} in {_names({row.side for row in same})}") for numbers, same in torn.items()]
    by_rows = dict(reversed(leaks))  # a patient that is a group is told once, as a patient
    yield from _capped("split_leak", (f"{_rows(numbers)}: {text}" for numbers, text in sorted(by_rows.items())))


def near_duplicate(rows: Sequence[Row], pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Copies of one picture on two sides."""
    across = [(rows[a], rows[b]) for a, b, _ in pairs if rows[a].side != rows[b].side]
    yield from _capped("near_duplicate", (f"{_rows([a.number, b.number])}: one picture in {a.split} and {b.split}" for a, b in across))


def label_clash(rows: Sequence[Row], pairs: Sequence[Pair]) -> Iterator[Finding]:
    """One picture with two labels."""
    clashes = [
        (rows[a], rows[b])
        for a, b, alike in pairs
        if alike >= likeness.SAME and rows[a].label and rows[b].label and _label(rows[a]) != _label(rows[b])
    ]
    yield from _capped("label_clash", (f"{_rows([a.number, b.number])}: one picture as {_label(a)} and {_label(b)}" for a, b in clashes))


def unreadable(rows: Sequence[Row], statistics: Sequence[ImageStatistics | None]) -> Iterator[Finding]:
    """Pictures that are missing or that Lungline cannot read."""
    lost = [row.number for row, measure in zip(rows, statistics, strict=True) if measure is None]
    if lost:
        yield _error("unreadable", f"{_rows(lost)}: missing, or no PNG, JPEG or DICOM that can be read")


def single_source(rows: Sequence[Row]) -> Iterator[Finding]:
    """Classes that come from one source alone: nothing tells the class from its source."""
    origins: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in _labelled(rows):
        origins[row.modality, row.label].add(row.origin)
    for (modality, label), names in sorted(origins.items()):
        if len(names) == 1:
            yield _warning("single_source", f"{modality}: {label} comes from one source alone ({names.pop() or 'none named'})")


def imbalance(rows: Sequence[Row]) -> Iterator[Finding]:
    """Findings that are rare beside another of their modality, or absent from a split, or from all."""
    for modality in sorted({row.modality for row in rows}):
        ours = [row for row in _labelled(rows) if row.modality == modality]
        learnt = (Counter(row.finding for row in ours if row.split == "train") or Counter(row.finding for row in ours)).most_common()
        if learnt and learnt[0][1] >= _IMBALANCE * learnt[-1][1]:
            (most, highest), (least, lowest) = learnt[0], learnt[-1]
            yield _warning("imbalance", f"{modality}: {highest} pictures of {most}, {lowest} of {least}")
        wanted = _found(ours).union(*(FINDINGS[known] for known in Modality if known == modality))
        for split in _USED_SPLITS:
            missing = wanted - _found(row for row in ours if row.split == split)
            if missing:
                yield _warning("imbalance", f"{modality}: no {_names(missing)} in {split}")


def shortcut(rows: Sequence[Row], statistics: Sequence[ImageStatistics | None]) -> tuple[list[shortcuts.Separation], list[Finding]]:
    """What tells a class without a look at the lungs: all figures, and those that are too high."""
    figures: list[shortcuts.Separation] = []
    findings: list[Finding] = []
    for modality in sorted({row.modality for row in rows}):
        seen = [(row, measure) for row, measure in zip(rows, statistics, strict=True) if measure and row.label and row.modality == modality]
        ours, theirs = [row for row, _ in seen], [measure for _, measure in seen]
        found = list(shortcuts.measure_separations(modality, [row.finding for row in ours], ours, theirs))
        findings += _shortcut_findings(found, may_block=True)
        if {row.label for row in ours} != {row.finding for row in ours}:
            finer = [
                separation
                for separation in shortcuts.measure_separations(modality, [row.label for row in ours], ours, theirs)
                if separation.label not in _found(ours)
            ]
            findings += _shortcut_findings(finer, may_block=False)
            found += finer
        figures += found
    return figures, findings


def _shortcut_findings(figures: Iterable[shortcuts.Separation], *, may_block: bool) -> Iterator[Finding]:
    for separation in figures:
        if separation.z < _FEWEST_DEVIATIONS or separation.auroc < WARNING_AUROC:
            continue
        blocks = may_block and separation.auroc >= BLOCKING_AUROC and separation.by not in _NEVER_BLOCKING
        yield Finding("shortcut", Severity.ERROR if blocks else Severity.WARNING, str(separation))


def _found(rows: Iterable[Row]) -> set[str]:
    return {row.finding for row in rows}


def _labelled(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.label]


def _label(row: Row) -> str:
    return f"{row.modality} {row.label}"


def _names(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))


def _rows(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    rest = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"row{'s' if len(numbers) > 1 else ''} {shown}{rest}"


def _capped(check: str, details: Iterable[str]) -> Iterator[Finding]:
    listed = list(details)
    yield from (_error(check, detail) for detail in listed[:_SHOWN])
    if len(listed) > _SHOWN:
        yield _error(check, f"and {len(listed) - _SHOWN} more such")


def _error(check: str, detail: str) -> Finding:
    return Finding(check, Severity.ERROR, detail)


def _warning(check: str, detail: str) -> Finding:
    return Finding(check, Severity.WARNING, detail)
