"""From prepared scans to verdicts: admission for all of a batch, then each modality's ensemble once for its share."""

from collections.abc import Mapping, Sequence

import numpy as np

from db.results import Verdict
from db.versions import Version
from lungline.errors import ModelError
from lungline.findings import Modality, Status
from lungline.reasons import Reason
from models import registry
from models.admission import Admission
from models.ensemble import Ensemble, Judgement
from workers.reading import Reading


class Judge:
    """The networks of one worker. Not thread-safe: the batcher owns them."""

    def __init__(self, admission: Admission, ensembles: Mapping[Modality, Ensemble]) -> None:
        self._admission = admission
        self._ensembles = dict(ensembles)

    @classmethod
    def load(cls, champions: Mapping[Modality, str]) -> "Judge":
        """Loads the admission network and each modality's champion; takes seconds.

        Raises:
            ModelError: files are missing or damaged.
        """
        at_hand = registry.shipped()
        for modality, version in champions.items():
            if at_hand[modality].version != version:
                raise ModelError(f"The files of champion `{version}` are not at hand; see `lungline models list`.")
        ensembles = {modality: registry.load_ensemble(files) for modality, files in at_hand.items()}
        return cls(registry.load_admission(registry.shipped_admission()), ensembles)

    @property
    def versions(self) -> list[str]:
        """The exact versions that judge."""
        return [self._admission.version, *(one.version for one in self._ensembles.values())]

    @property
    def always(self) -> list[str]:
        """What every scan must be prepared by."""
        return [self._admission.preprocess]

    @property
    def by_modality(self) -> dict[Modality, list[str]]:
        """What the scans of a modality must be prepared by, besides."""
        return {modality: list(one.preprocesses) for modality, one in self._ensembles.items()}

    def warm(self, batch_max: int) -> None:
        """Runs every network once for each size of batch."""
        self._admission.warm(batch_max)
        for one in self._ensembles.values():
            one.warm(batch_max)

    def judge(self, batch: Sequence[tuple[Reading, Modality | None]]) -> list[tuple[Modality | None, Verdict]]:
        """Judges readings, each with the modality that its folder said; returns modality and verdict of each, in that order.

        Raises:
            ModelError: a network gave a number that is none.
        """
        modalities = self._admit(batch)
        judgements: dict[int, Judgement] = {}
        for modality, ensemble in self._ensembles.items():
            share = [index for index, one in enumerate(modalities) if one is modality]
            if share:
                inputs = {name: np.stack([batch[index][0].inputs[name] for index in share]) for name in ensemble.preprocesses}
                judgements |= zip(share, ensemble.judge(inputs), strict=True)
        return [
            (
                modalities[index] or reading.facts.modality or hint,
                self._verdict(modalities[index], judgements[index]) if index in judgements else self._rejection(reading),
            )
            for index, (reading, hint) in enumerate(batch)
        ]

    def _admit(self, batch: Sequence[tuple[Reading, Modality | None]]) -> list[Modality | None]:
        """What to read each scan as; None for what its header or the admission network turns away."""
        admitted: list[Modality | None] = [None] * len(batch)
        asked = [index for index, (reading, _) in enumerate(batch) if reading.facts.rejection is None]
        if asked:
            inputs = np.stack([batch[index][0].inputs[self._admission.preprocess] for index in asked])
            for index, judged in zip(asked, self._admission.judge(inputs), strict=True):
                reading, hint = batch[index]
                admitted[index] = self._admission.decide(judged, reading.facts.modality or hint)
        return admitted

    def _verdict(self, modality: Modality | None, judgement: Judgement) -> Verdict:
        assert modality is not None
        return Verdict(
            ensemble=self._ensembles[modality].version,
            status=judgement.status,
            finding=judgement.finding,
            probability=judgement.probability,
            disagreement=judgement.disagreement,
            entropy=judgement.entropy,
            probabilities=judgement.probabilities,
            predictions=[(one.member, one.version, one.probabilities) for one in judgement.predictions],
        )

    def _rejection(self, reading: Reading) -> Verdict:
        return Verdict(self._admission.version, Status.REJECTED, reason=reading.facts.rejection or Reason.NOT_CHEST)


def versions_at_hand() -> list[Version]:
    """Every ensemble and member whose files are here, as the ledger enters them."""
    return [Version(one.version, one.kind, one.name, one.modality, one.sha256) for one in registry.descriptions()]
