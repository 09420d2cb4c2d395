"""The short card of a member: what it is, how it was made, what its figures are worth. Generated, never written by hand."""

from collections.abc import Mapping
from typing import Any

from lungline import RESEARCH_USE
from training.figures import RESAMPLES


def card(told: Mapping[str, Any]) -> str:
    """Markdown from a member's description (`member.json`)."""
    return "\n".join([*_head(told), *(_findings(told) if told["modality"] else _admission(told)), *_tail(told)]) + "\n"


def _head(told: Mapping[str, Any]) -> list[str]:
    return [
        f"# {told['name']}-{told['sha256'][:8]}",
        "",
        f"**{RESEARCH_USE}**",
        "",
        f"{told['architecture']}, {told['parameters']:,} parameters, preprocessing `{told['preprocess']}`; "
        f"answers {', '.join(told['outputs'])}.",
        f"Trained by recipe `{told['recipe']}`, seed {told['seed']}, {told['epochs']} epochs (the best was {told['best_epoch']}), "
        f"base weights: {told['base']}.",
        "",
    ]


def _findings(told: Mapping[str, Any]) -> list[str]:
    figures, baselines = told["figures"], told["baselines"]
    first = f"{told['outputs'][0]}_auroc"
    lines = [
        f"Test: {figures['images']} images of {figures['groups']} groups, judged once for this version. "
        f"In brackets 95 % by bootstrap over groups, {RESAMPLES:,} resamples.",
        "",
        "| | images | macro AUROC | covid19 AUROC | balanced accuracy | accuracy |",
        "|---|---|---|---|---|---|",
        f"| **test** | {figures['images']} | {_bar(figures['macro_auroc'])} | {_bar(figures[first])} | "
        f"{_bar(figures['balanced_accuracy'])} | {_bar(figures['accuracy'])} |",
    ]
    lines += [
        f"| within {source} | {here['images']} | | {_bar(here[first])} | {_bar(here['balanced_accuracy'])} | {_bar(here['accuracy'])} |"
        for source, here in figures["within_source"].items()
    ]
    lines += [
        f"| beside it: {name} | {figures['images']} | {rival['macro_auroc']:.3f} | | {rival['balanced_accuracy']:.3f} | "
        f"{rival['accuracy']:.3f} |"
        for name, rival in baselines.items()
    ]
    lines += [
        "",
        f"Validation macro AUROC {told['validation']['macro_auroc']['value']:.3f}, balanced accuracy "
        f"{told['validation']['balanced_accuracy']['value']:.3f}, on {told['validation']['images']} images.",
        f"At the review threshold from validation, {figures['accepted_share']:.0%} of test scans are accepted, "
        f"and {figures['accepted_accuracy']:.1%} of these are right.",
        "",
        "| label \\ answer | " + " | ".join(told["outputs"]) + " |",
        "|---|" + "---|" * len(told["outputs"]),
        *(f"| {label} | " + " | ".join(str(n) for n in row.values()) + " |" for label, row in figures["confusion"].items()),
        "",
        "Labels follow sources: the source rule answers with a source's commonest training label and never looks at the picture. "
        "Figures within one source are the honest ones.",
    ]
    if told["modality"] == "ct":
        lines.append("Judged are covid19 and the same sources' non_covid slices. Training also used community pneumonia and normal slices.")
    return lines


def _admission(told: Mapping[str, Any]) -> list[str]:
    lines = ["| | images | chest X-rays kept | lung CT kept | both kept | of these, right modality | others turned away |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, figures in (("test", told["figures"]), ("validation", told["validation"])):
        lines.append(
            f"| {name} | {figures['images']} | {figures['xray']['kept']:.3f} | {figures['ct']['kept']:.3f} | {figures['kept']:.3f} | "
            f"{figures['right_modality_of_kept']:.3f} | {figures['neither']['turned_away']:.3f} |"
        )
    return [
        *lines,
        "",
        f"A picture is turned away when `neither` is more probable than {told['threshold']}, chosen on validation.",
        "Not measured: films of shoulder, spine and abdomen, and CT of the upper abdomen.",
    ]


def _tail(told: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    return ["", f"Data: manifest sha256 {told['data_sha256'][:16]}. Made with {versions}. Weights: see LICENSE-weights.md."]


def _bar(figure: Mapping[str, float | None]) -> str:
    interval = f" [{figure['low']:.3f}, {figure['high']:.3f}]" if figure["low"] is not None else ""
    return f"{figure['value']:.3f}{interval}"
