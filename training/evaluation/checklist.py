"""A model card in short form: what the reporting guidelines ask for, item by item, with what is known and what is not.

TRIPOD+AI: Collins et al. (BMJ 2024), https://doi.org/10.1136/bmj-2023-078378. CLAIM: Mongan, Moy & Kahn (Radiology: Artificial Intelligence
2020), https://doi.org/10.1148/ryai.2020200029.
"""

from typing import Final

from lungline import RESEARCH_USE
from training.evaluation.caveats import CardData, evaluated_splits
from training.evaluation.sections import Section, Table, bar
from training.metrics.figures import RESAMPLES

_HEAD: Final = ("item", "TRIPOD+AI", "CLAIM", "here")

# What is the same for every model of Lungline.
_OUTCOME: Final = "The label that its source gives; how it was found (PCR, reader) is mostly unknown, and no reader was asked again."
_MISSING: Final = "A picture without label, source or split is not taken; nothing is filled in."
_DISJOINT: Final = (
    "By group: a patient and near-duplicates are one, and on one side alone. Fitted on train; epoch, temperature, weights and thresholds "
    "chosen on validation."
)
_MEASURES: Final = f"As shown, with 95 % intervals by {RESAMPLES:,} bootstraps over groups; baselines beside them."
_ROBUSTNESS: Final = "Within each source, and with the lungs blacked out. No hospital, device or country was tried beyond the sources."
_EXPLANATION: Final = "Grad-CAM shows where a network looks, never why; it was not compared with readers."
_FAIRNESS: Final = "Age, sex and origin are unknown for most pictures: not measured."
_LIMITS: Final = "Labels follow sources, so figures over all sources are too good. No prospective trial, no comparison with readers."
_ETHICS: Final = "Pictures were there already; no registration, no protocol beforehand, no funding, and no patients took part."
_CODE: Final = "Code: Lungline, MIT. Data: under their publishers' terms, which bind the weights, too."
_SOURCES: Final = "Retrospective, from public collections or labelled scans of the store; who was included is as their publishers chose."


def fill_checklist(facts: CardData) -> Section:
    """The section, out of `member.json` or an ensemble's JSON."""
    found = (
        ("intended use", "1, 3", "1, 3", f"Classifies single {_pictures(facts)}. {RESEARCH_USE}"),
        ("data", "5, 6", "5, 7, 8", _data(facts)),
        ("preparation", "7", "9", _preparation(facts)),
        ("outcome", "8", "14, 16, 18", _OUTCOME),
        ("sample size", "10", "19", _sizes(facts)),
        ("missing data", "11", "13", _MISSING),
        ("partitions", "12", "20, 21", _DISJOINT),
        ("model", "12, 22", "22, 23, 27", _model(facts)),
        ("training", "12, 13", "24, 25, 26", _training(facts)),
        ("measures", "12", "28, 29", _MEASURES),
        ("robustness", "12", "30", _ROBUSTNESS),
        ("explanation", "12", "31", _EXPLANATION),
        ("fairness", "3, 14", "34", _FAIRNESS),
        ("performance", "23", "35, 36", _performance(facts)),
        ("limits", "26", "38", _LIMITS),
        ("ethics, funding, patients", "17, 18, 19", "40, 42", _ETHICS),
        ("code and data", "18", "41", _CODE),
    )
    return Section("items", "By TRIPOD+AI and CLAIM, in short", (Table(_HEAD, found),))


def _pictures(facts: CardData) -> str:
    kinds = {"xray": "frontal chest X-rays", "ct": "axial lung CT slices", None: "pictures: chest X-ray, lung CT slice, or neither"}
    return kinds[facts["modality"]] + (f" as {', '.join(facts['outputs'])}" if facts["modality"] else "")


def _data(facts: CardData) -> str:
    sources = sorted({source for _, measured in evaluated_splits(facts) for source in measured["within_source"]})
    named = f" Judged within: {', '.join(sources)}." if sources and facts["modality"] else ""
    return (
        "Retrospective, from public collections or labelled scans of the store; who was included there is as their publishers chose."
        + named
    )


def _preparation(facts: CardData) -> str:
    way = f"`{facts['preprocess']}`" if "preprocess" in facts else "each member's own"
    return f"Gray, shrunk to a square, contrast stretched: {way}, the same in training and serving."


def _sizes(facts: CardData) -> str:
    sizes = "; ".join(f"{split}: {of['images']} pictures of {of['groups']} groups" for split, of in evaluated_splits(facts))
    return f"As many as there are, not planned. {sizes or 'Not predicted yet'}."


def _model(facts: CardData) -> str:
    if "members" in facts:
        return f"A vote of {len(facts['members'])} calibrated networks; those that are unsure or differ go to review."
    return f"{facts['architecture']}, {facts['parameters']:,} parameters, one network."


def _training(facts: CardData) -> str:
    if "members" in facts:
        return "See the members' cards."
    if "imported" in facts:
        return f"Imported, as recipe `{facts['recipe']}`; not known."
    return f"Recipe `{facts['recipe']}`, seed {facts['seed']}, {facts['epochs']} epochs; base: {facts['base']}. The recipe says the rest."


def _performance(facts: CardData) -> str:
    names = ("macro_auroc", "balanced_accuracy", "kept", "turned_away")
    of = [
        f"{split}: " + ", ".join(f"{name.replace('_', ' ')} {bar(measured[name])}" for name in names if name in measured)
        for split, measured in evaluated_splits(facts)
    ]
    return "; ".join(of) + "." if of else "Not measured yet."
