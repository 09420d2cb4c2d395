"""What there is to judge: members and ensembles of folders of models, by version and by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lungline.errors import ModelError, TrainingError
from lungline.progress import say
from models.admission import NEITHER
from models.files import ENSEMBLES, MEMBER, EnsembleFiles, Member, read_ensemble, read_member
from models.registry import SHIPPED
from training.evaluation.judge import EvaluatedVersion, Evaluator


@dataclass(frozen=True)
class Candidate:
    """A member, or an ensemble."""

    what: Member | EnsembleFiles
    within: frozenset[str]  # versions and names of the ensembles that it is part of
    writes: bool  # whether its figures and card are written beside it
    path: Path | None = None  # of an ensemble's JSON
    threshold: float | None = None  # of an admission network

    @property
    def names(self) -> set[str]:
        """What it may be asked for by."""
        return {self.what.version, self.what.name, *self.within}

    def judge(self, judge: Evaluator, splits: Sequence[str]) -> EvaluatedVersion:
        """Judges it; `splits`: of val and test, the one that counts last."""
        if isinstance(self.what, Member):
            return judge.member(self.what, splits, self.threshold, writes=self.writes)
        assert self.path is not None
        return judge.ensemble(self.what, self.path, splits, writes=self.writes)


def list_candidates(root: Path, *, writes: bool) -> list[Candidate]:
    """Those of one folder, as Lungline ships it, training writes it, or the store has it: members before their ensembles, and those of no
    ensemble last. What is damaged is told, and passed over."""
    found: dict[str, Candidate] = {}
    for path in sorted((root / ENSEMBLES).glob("*.json")):
        try:
            files = read_ensemble(root, path.stem)
        except ModelError as error:
            say(f"skipped: {error}")
            continue
        whole = frozenset({files.version, files.name})
        for member in (place.member for place in files.places):
            before = found[member.version].within if member.version in found else frozenset()
            found[member.version] = Candidate(member, whole | before, writes, threshold=files.thresholds.get(NEITHER))
        if files.modality is not None:
            found[files.version] = Candidate(files, whole, writes, path)
    for member in _members(root):
        if member.modality is not None and member.version not in found:
            found[member.version] = Candidate(member, frozenset(), writes)
    return list(found.values())


def list_candidates_at_hand(store_models: Path, *, writes: bool) -> list[Candidate]:
    """Those that ship, which are never written to, and those of the store's folder of models."""
    return list_candidates(SHIPPED, writes=False) + list_candidates(store_models, writes=writes)


def choose_candidates(known: Sequence[Candidate], names: Sequence[str]) -> list[Candidate]:
    """Those that go by these versions or names, an ensemble with its members; all where none is named. Of one version the first.

    Raises:
        TrainingError: there is no such one, or none at all.
    """
    unknown = sorted(set(names).difference(*(candidate.names for candidate in known)))
    if unknown or not known:
        raise TrainingError(f"There is no {', '.join(unknown) or 'model'} to evaluate; see `lungline models list`.")
    wanted = {candidate.what.version: candidate for candidate in reversed(known) if not names or candidate.names & set(names)}
    return [candidate for candidate in known if wanted.get(candidate.what.version) is candidate]


def _members(root: Path) -> Iterator[Member]:
    """Of a folder, or of the store, where a member's versions lie side by side."""
    for path in sorted((*root.glob(f"*/{MEMBER}"), *root.glob(f"*/*/{MEMBER}"))):
        try:
            yield read_member(path.parent)
        except ModelError as error:
            say(f"skipped: {error}")
