"""The card of a member or an ensemble: what it is, how it was made, what its figures are worth. Generated, never written by hand."""

from collections.abc import Mapping
from typing import Any

from lungline import RESEARCH_USE
from training.controls import SHUFFLES
from training.evaluate import PREVALENCE
from training.figures import RESAMPLES
from training.reliability import BINS, COVERAGES

Told = Mapping[str, Any]

_SPLITS = (("test", "figures"), ("validation", "validation"))


def card(told: Told, version: str) -> str:
    """Markdown from `member.json`, or from an ensemble's JSON with its modality and findings as `outputs`."""
    body = _admission(told) if told["modality"] is None else _findings(told)
    lines = [f"# {version}", "", f"**{RESEARCH_USE}**", "", *(_ensemble(told) if "members" in told else _member(told)), *body, *_tail(told)]
    return "\n".join(lines) + "\n"


def _member(told: Told) -> list[str]:
    return [
        f"{told['architecture']}, {told['parameters']:,} parameters, preprocessing `{told['preprocess']}`; "
        f"answers {', '.join(told['outputs'])}.",
        f"Trained by recipe `{told['recipe']}`, seed {told['seed']}, {told['epochs']} epochs (the best was {told['best_epoch']}), "
        f"base weights: {told['base']}.",
        "",
    ]


def _ensemble(told: Told) -> list[str]:
    return [
        "| member | weight in the vote | temperature |",
        "|---|---|---|",
        *(f"| {one['member']}-{one['sha256'][:8]} | {one['weight']:.2f} | {one['temperature']:.2f} |" for one in told["members"]),
        "",
        f"A scan goes to review if the two most probable findings are closer than {told['thresholds']['margin']:.3f}, or the members "
        f"differ by more than {told['thresholds']['disagreement']:.3f}. Temperatures, weights and thresholds were chosen on validation.",
        "",
    ]


def _findings(told: Told) -> list[str]:
    first = told["outputs"][0]
    lines = [
        f"In brackets 95 % by bootstrap over groups, {RESAMPLES:,} resamples. Validation chose epoch, temperature and thresholds: test is"
    ]
    lines[0] += " the honest row."
    lines += ["", f"| | images (groups) | macro AUROC | {first} AUROC | balanced accuracy | accuracy |", "|---|---|---|---|---|---|"]
    for split, called in _SPLITS:
        if called in told:
            lines += _rows(split, told[called], first)
    lines += [""]
    if "figures" in told:
        lines += [*_of_findings(told, first), *_controls(told["figures"]), *_confusion(told["figures"])]
    for split, called in _SPLITS:
        if called in told:
            lines += [*_calibration(split, told[called]), *_coverage(split, told[called])]
    lines += [
        "",
        "Labels follow sources: the source rule answers with a source's commonest training label and never looks at the picture. "
        "Figures within one source are the honest ones.",
    ]
    if told["modality"] == "ct":
        lines.append(
            "Judged are covid19 and the same sources' non_covid slices; community pneumonia and normal slices come from other sources."
        )
    return lines


def _rows(split: str, measured: Told, first: str) -> list[str]:
    def line(name: str, of: Told, counts: str) -> str:
        names = ("macro_auroc", f"{first}_auroc", "balanced_accuracy", "accuracy")
        return f"| {name} | {counts} | " + " | ".join(_bar(of.get(each)) for each in names) + " |"

    def counts(of: Told) -> str:
        return f"{of['images']} ({of['groups']})"

    lines = [line(f"**{split}**", measured, counts(measured))]
    lines += [line(f"{split}, within {source}", here, counts(here)) for source, here in measured["within_source"].items()]
    for rival, of in measured.get("beside", {}).items():
        called = rival.replace("_", " ")
        lines.append(line(f"{split}, beside it: {called}", of, counts(measured)))
        lines += [line(f"… {called} within {source}", here, counts(here)) for source, here in of["within_source"].items()]
    return lines


def _of_findings(told: Told, first: str) -> list[str]:
    measured = told["figures"]
    names = ("sensitivity", "specificity", "precision", "f1")
    lines = ["| test | support | sensitivity | specificity | precision | F1 |", "|---|---|---|---|---|---|"]
    for finding in told["outputs"]:
        support = sum(measured["confusion"][finding].values())
        lines.append(f"| {finding} | {support} | " + " | ".join(_bar(measured.get(f"{finding}_{name}")) for name in names) + " |")
    at = measured.get(f"{first}_precision_at_10")
    return [*lines, "", f"Precision of {first} where {PREVALENCE:.0%} have it: {_bar(at)}.", ""]


def _controls(measured: Told) -> list[str]:
    dark = measured["black_lungs"]
    lines = [
        "Negative controls, on test:",
        "",
        f"- lungs blacked out: macro AUROC {_bar(dark.get('macro_auroc'))}, balanced accuracy {_bar(dark.get('balanced_accuracy'))}. "
        "What is above chance is known from the framing, the border and what is written on it.",
    ]
    if "shuffled_labels" in measured:
        shuffled = measured["shuffled_labels"]["macro_auroc"]
        lines.append(
            f"- trained on shuffled labels, {SHUFFLES} times: macro AUROC {shuffled['value']:.3f} on the mean, "
            f"from {shuffled['lowest']:.3f} to {shuffled['highest']:.3f}; .5 is chance."
        )
    told = [f"{label} {one['value']:.3f}" for label, one in measured.get("source_in_features", {}).items()]
    if told:
        lines.append(f"- the features tell the source of pictures with one label, macro AUROC: {', '.join(told)}; .5 would be blind to it.")
    return [*lines, ""]


def _confusion(measured: Told) -> list[str]:
    answers = list(measured["confusion"])
    return [
        "| test: label \\ answer | " + " | ".join(answers) + " |",
        "|---|" + "---|" * len(answers),
        *(f"| {label} | " + " | ".join(str(row[answer]) for answer in answers) + " |" for label, row in measured["confusion"].items()),
        "",
    ]


def _calibration(split: str, measured: Told) -> list[str]:
    null = measured["ece_null"]
    brier, before, after = (measured[name]["value"] for name in ("brier_before", "ece_before", "ece"))
    return [
        f"Calibration on {split}, before and after temperature: Brier {brier:.3f} and {_bar(measured['brier'])}; "
        f"ECE ({BINS} bins of equal mass) {before:.3f} and {after:.3f}; perfect calibration would show {_bar(null)}."
    ]


def _coverage(split: str, measured: Told) -> list[str]:
    shares = ", ".join(f"{measured[f'accuracy_at_coverage_{percent}']['value']:.3f} of {percent} %" for percent in COVERAGES)
    lines = [f"Accuracy on {split} among the surest: {shares}."]
    if "accepted_share" in measured:
        lines.append(
            f"At the thresholds {measured['accepted_share']['value']:.0%} of {split} scans are accepted, and "
            f"{_bar(measured.get('accepted_accuracy'))} of these are right. Mean disagreement {measured['disagreement']['value']:.3f}."
        )
    return lines


def _admission(told: Told) -> list[str]:
    names = ("xray_kept", "ct_kept", "kept", "right_modality", "turned_away")
    lines = [
        f"In brackets 95 % by bootstrap over groups, {RESAMPLES:,} resamples.",
        "",
        "| | images | chest X-rays kept | lung CT kept | both kept | of these, right modality | others turned away |",
        "|---|---|---|---|---|---|---|",
    ]
    for split, called in _SPLITS:
        if called in told:
            of = told[called]
            lines.append(f"| {split} | {of['images']} | " + " | ".join(_bar(of.get(name)) for name in names) + " |")
    lines += ["", "| others turned away, by kind | test | validation |", "|---|---|---|"]
    kinds = {kind for _, called in _SPLITS for kind in told.get(called, {}).get("within_source", {})}
    for kind in sorted(kinds):
        cells = (told.get(called, {}).get("within_source", {}).get(kind, {}).get("turned_away") for _, called in _SPLITS)
        lines.append(f"| {kind} | " + " | ".join(f"{one['value']:.3f} of {one['images']}" if one else "" for one in cells) + " |")
    return [
        *lines,
        "",
        f"A picture is turned away when `neither` is more probable than {told['threshold']}, chosen on validation.",
        "Not measured: films of shoulder, spine and abdomen, and CT of the upper abdomen.",
    ]


def _tail(told: Told) -> list[str]:
    lines = [""]
    if "test_uses" in told:
        uses = told["test_uses"]
        lines.append(f"This test split was looked at for {len(uses)} versions so far: {', '.join(uses)}.")
    elif "figures" not in told:
        lines.append("Not judged on test yet: `lungline evaluate` does so.")
    if "versions" in told:
        versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
        lines.append(f"Data: manifest sha256 {told['data_sha256'][:16]}. Made with {versions}. Weights: see LICENSE-weights.md.")
    return lines


def _bar(figure: Mapping[str, float | None] | None) -> str:
    if figure is None:
        return ""
    interval = f" [{figure['low']:.3f}, {figure['high']:.3f}]" if figure.get("low") is not None else ""
    return f"{figure['value']:.3f}{interval}"
