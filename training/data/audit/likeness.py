"""Which pictures are copies of each other: the same pixels, or the same picture compressed, scaled, exposed anew or mirrored."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from training.data.audit.image_statistics import ImageStatistics, mirror

# Two pictures can be copies if so few bits of their hashes differ. Measured on 3,500 chest X-rays and CT slices: copies saved as JPEG at
# quality 25, halved, sharpened by a gamma of 0.7 or brightened differ in 8 at most.
_BITS: Final = 10

# And they are if their details correlate so: copies as above at .966 or more, slices and films of different people at .885 at most.
_ALIKE: Final = float(np.arctanh(0.9))
# All pictures of a phantom, or of one device and posture, are more alike than that: what a quarter of all pairs reaches, and so much more.
_ABOVE_COMMON: Final = 1.4

SAME: Final = float(np.arctanh(0.99))  # hardly the next slice of the same patient
_BLOCK: Final = 2048
_PAIRS: Final = 200_000

Signs = npt.NDArray[np.float32]  # (n, 64), 1 or -1
Indices = npt.NDArray[np.intp]
Pair = tuple[int, int, float]  # two indices, the smaller first, and the inverse hyperbolic tangent of their correlation


def copies(statistics: Sequence[ImageStatistics | None]) -> list[Pair]:
    """Pairs of pictures that are copies of each other; what could not be read is a copy of nothing."""
    seen = [number for number, measure in enumerate(statistics) if measure]
    readable = [measure for measure in statistics if measure]
    if len(readable) < 2:
        return []
    found: dict[tuple[int, int], float] = {}
    for a, b, alike in _near(readable):
        found[seen[a], seen[b]] = max(alike, found.get((seen[a], seen[b]), alike))
    found |= dict.fromkeys(identical(statistics), float("inf"))
    return [(a, b, alike) for (a, b), alike in sorted(found.items())]


def identical(statistics: Sequence[ImageStatistics | None]) -> Iterator[tuple[int, int]]:
    """Pairs with the same pixels, and so all with the same bytes: each picture with the first such."""
    first: dict[str, int] = {}
    for number, measure in enumerate(statistics):
        if measure and (before := first.setdefault(measure.sha256, number)) != number:
            yield before, number


def joined(pairs: Sequence[Pair], size: int) -> list[int]:
    """For each of `size` pictures the smallest that it hangs together with by `pairs`."""
    if not size:
        return []
    firsts, seconds = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    graph = sparse.coo_array((np.ones(len(pairs), bool), (firsts, seconds)), shape=(size, size))
    _, components = csgraph.connected_components(graph, directed=False)
    _, smallest = np.unique(components, return_index=True)
    return [int(number) for number in smallest[components]]


def _near(statistics: Sequence[ImageStatistics]) -> Iterator[Pair]:
    hashes, details = _signs([measure.phash for measure in statistics]), np.stack([measure.detail for measure in statistics])
    least = max(_ALIKE, _common(details) + _ABOVE_COMMON)
    for others, others_details in ((hashes, details), (_signs([measure.mirrored for measure in statistics]), mirror(details))):
        for firsts, seconds in _candidates(hashes, others):
            alike = _alike(details[firsts], others_details[seconds])
            near = alike >= least
            yield from zip(firsts[near].tolist(), seconds[near].tolist(), alike[near].tolist(), strict=True)


def _candidates(hashes: Signs, others: Signs) -> Iterator[tuple[Indices, Indices]]:
    """Pairs, the smaller index first, of which so few bits differ; some at a time."""
    for start in range(0, len(hashes), _BLOCK):
        differing = (hashes.shape[1] - hashes[start : start + _BLOCK] @ others.T) / 2
        firsts, seconds = np.nonzero(differing <= _BITS)
        firsts = firsts + start
        later = seconds > firsts
        yield from _chunks(firsts[later], seconds[later])


def _common(details: npt.NDArray[np.float32]) -> float:
    """What a quarter of all pairs exceeds; of many, as drawn at random."""
    count = len(details)
    if count * (count - 1) // 2 <= _PAIRS:
        firsts, seconds = np.triu_indices(count, 1)
    else:
        draw = np.random.default_rng(0)
        firsts = draw.integers(0, count, _PAIRS)
        seconds = (firsts + draw.integers(1, count, _PAIRS)) % count
    alike = [_alike(details[a], details[b]) for a, b in _chunks(firsts, seconds)]
    return float(np.quantile(np.concatenate(alike), 0.75, method="lower"))


def _alike(details: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    correlations = np.einsum("nd,nd->n", details, others).astype(np.float64)
    return np.asarray(np.arctanh(np.clip(correlations, -1 + 1e-9, 1 - 1e-9)))


def _signs(hashes: Sequence[npt.NDArray[np.bool_]]) -> Signs:
    """Whose products count equal bits less differing ones."""
    return np.where(np.stack(hashes), np.float32(1), np.float32(-1))


def _chunks(firsts: Indices, seconds: Indices) -> Iterator[tuple[Indices, Indices]]:
    for start in range(0, len(firsts), _BLOCK):
        yield firsts[start : start + _BLOCK], seconds[start : start + _BLOCK]


def by_modality(modalities: Sequence[str], statistics: Sequence[ImageStatistics | None]) -> list[Pair]:
    """`copies` within each modality, since what is common differs between them; and what is identical across."""
    rows: dict[str, list[int]] = defaultdict(list)
    for number, modality in enumerate(modalities):
        rows[modality].append(number)
    found = {(numbers[a], numbers[b]): alike for numbers in rows.values() for a, b, alike in copies([statistics[n] for n in numbers])}
    found |= dict.fromkeys(identical(statistics), float("inf"))
    return [(a, b, alike) for (a, b), alike in sorted(found.items())]
