"""From prepared scans to verdicts: admission for all of a batch, then each modality's ensemble once for its share."""

from collections.abc import Mapping, Sequence

import numpy as np

from db.results import Verdict
from lungline.errors import ModelError
from lungline.findings import Modality, Status
from lungline.reasons import Reason
from models import registry
from models.admission import Admission
from models.ensemble import Ensemble, Judgement
from models.files import ADMISSION
from workers.reading import Reading


class Judge:
    """The networks of one worker. Not thread-safe: the batcher owns them. Others take its place; it never changes."""

    def __init__(self, parts: Mapping[str, Admission | Ensemble]) -> None:
        """
        Args:
            parts: by name: admission, xray, ct.

        Raises:
            ModelError: one is missing.
        """
        self.parts = dict(parts)
        if set(parts) != {ADMISSION, *Modality}:
            raise ModelError("A modality or admission has no champion; see `lungline models list`.")
        admission = parts[ADMISSION]
        assert isinstance(admission, Admission)
        self._admission = admission
        self._ensembles = {part.modality: part for part in parts.values() if isinstance(part, Ensemble)}

    @property
    def names(self) -> dict[str, str]:
        """Name -> the exact version that judges."""
        return {name: part.version for name, part in self.parts.items()}

    @property
    def versions(self) -> list[str]:
        """The exact versions that judge."""
        return sorted(self.names.values())

    @property
    def always(self) -> list[str]:
        """What every scan must be prepared by."""
        return [self._admission.preprocess]

    @property
    def by_modality(self) -> dict[Modality, list[str]]:
        """What the scans of a modality must be prepared by, besides."""
        return {modality: list(part.preprocesses) for modality, part in self._ensembles.items()}

    def judge(self, batch: Sequence[tuple[Reading, Modality | None]]) -> list[tuple[Modality | None, Verdict]]:
        """Judges readings, each with the modality that its folder said; returns modality and verdict of each, in that order.

        Raises:
            ModelError: a network gave a number that is none.
        """
        modalities = self._admit(batch)
        judgements: dict[int, Judgement] = {}
        for modality, ensemble in self._ensembles.items():
            share = [index for index, other in enumerate(modalities) if other is modality]
            if share:
                inputs = {name: np.stack([batch[index][0].inputs[name] for index in share]) for name in ensemble.preprocesses}
                judgements |= zip(share, ensemble.judge(inputs), strict=True)
        return [
            (
                modalities[index] or reading.facts.modality or (None if reading.facts.captured else hint),
                self._verdict(modalities[index], judgements[index], reading.facts.review)
                if index in judgements
                else self._rejection(reading),
            )
            for index, (reading, hint) in enumerate(batch)
        ]

    def is_sound(self) -> bool:
        """Whether the networks still judge a drawn chest: if not, no scan is to blame for its failure."""
        try:
            for part in self.parts.values():
                registry.try_out(part)
        except ModelError:
            return False
        return True

    def _admit(self, batch: Sequence[tuple[Reading, Modality | None]]) -> list[Modality | None]:
        """What to read each scan as; None for what its header or the admission network turns away."""
        admitted: list[Modality | None] = [None] * len(batch)
        asked = [index for index, (reading, _) in enumerate(batch) if reading.facts.rejection is None]
        if asked:
            inputs = np.stack([batch[index][0].inputs[self._admission.preprocess] for index in asked])
            for index, answer in zip(asked, self._admission.judge(inputs), strict=True):
                facts, hint = batch[index][0].facts, batch[index][1]
                said = facts.modality or (None if facts.captured else hint)
                found = self._admission.decide(answer, said)
                # A picture of a CT's screen that does not look like a slice is a scout or a 3D view, whatever else it looks like.
                admitted[index] = found if facts.captured in (None, found) else None
        return admitted

    def _verdict(self, modality: Modality | None, judgement: Judgement, review: Reason | None) -> Verdict:
        assert modality is not None
        return Verdict(
            ensemble=self._ensembles[modality].version,
            status=judgement.status if review is None else Status.REVIEW,
            reason=review,
            finding=judgement.finding,
            probability=judgement.probability,
            disagreement=judgement.disagreement,
            entropy=judgement.entropy,
            probabilities=judgement.probabilities,
            predictions=[(part.member, part.version, part.probabilities) for part in judgement.predictions],
        )

    def _rejection(self, reading: Reading) -> Verdict:
        return Verdict(self._admission.version, Status.REJECTED, reason=reading.facts.rejection or Reason.NOT_CHEST)
