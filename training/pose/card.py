"""The card of the pose network: what it is for, how it was made, what its figures are worth."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lungline import RESEARCH_USE
from models.admission import NEITHER
from models.pose import CT_NEGATIVE, FILMS

_NAMES: Final = {
    "film_0": "upright, positive",
    "film_90": "a quarter turn anticlockwise",
    "film_180": "on its head",
    "film_270": "a quarter turn clockwise",
    "film_0_negative": "negative, upright",
    "film_90_negative": "negative, a quarter turn anticlockwise",
    "film_180_negative": "negative, on its head",
    "film_270_negative": "negative, a quarter turn clockwise",
    "ct": "CT slice, positive",
    CT_NEGATIVE: "CT slice, negative",
}
_LIMITS: Final = (
    "- A mirrored film is not known: left and right are no part of this.",
    "- Oblique and lordotic films were not measured, nor real lateral films.",
    "- A slice that is cut tight to the lungs tells little of its polarity.",
)


def card(facts: Mapping[str, Any]) -> str:
    """Markdown of what `pose.json` tells."""
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"# pose-{facts['sha256'][:8]}", "", f"**{RESEARCH_USE}**", "", "## What it is for", "")
    yield "It tells how a chest picture lies: a frontal film by its quarter turns, positive or negative; a lateral film; a CT slice,"
    yield "positive or negative; or something else."
    yield "What lies wrong is turned right before the other networks see it, and sent to review. What is something else, admission judges."
    yield from ("", "## How it was made", "", *_made(facts), "", "## Figures", "")
    yield f"Doubted is what lies wrong with a probability above {facts['threshold']}, chosen on validation."
    yield "The figures are of pictures of which neither header nor folder tell anything."
    yield "In brackets 95 % by bootstrap over groups, 2,000 resamples; where none or all of n groups are doubted it has no width,"
    yield "and the true share may lie up to 3/n away."
    for split in ("val", "test"):
        yield from ("", f"### {'Validation' if split == 'val' else 'Test'}", "", *_table(facts[split]))
        negatives = facts[split][NEITHER]
        yield from (
            "",
            f"Of {negatives['images']} pictures that are no chest, {negatives['doubted']} are doubted; admission turns them away.",
        )
    edges, thumbnails = facts["beside"]["edges"], facts["beside"]["thumbnails"]
    yield from (
        "",
        f"Beside it, logistic regression on test films, one of eight poses known exactly: thumbnails of 16x16 {thumbnails:.3f},",
    )
    yield f"the brightness of each edge and of the middle {edges:.3f}; chance is .125."
    yield from ("", "### Pictures that lie right and are doubted, by source", "", "| source | validation | test |", "|---|---|---|")
    for kind in ("film_0", "ct"):
        by_source = {split: facts[split][kind]["by_source"] for split in ("val", "test")}
        for source in sorted(by_source["val"].keys() | by_source["test"].keys()):
            yield f"| {source} | {_of(by_source['val'].get(source))} | {_of(by_source['test'].get(source))} |"
    yield from (
        "",
        "### Laterals",
        "",
        "Measured on projections of CT series alone, of patients that it did not learn from, those of COVID-CT-MD of the split test;",
        "on no real lateral film.",
    )
    yield from ("", "| series | from the side, doubted | from the front, doubted |", "|---|---|---|")
    for name, found in facts["projections"].items():
        yield f"| {name} | {_of(found['lateral'])} | {_of(found['frontal'])} |"
    yield from _controls(facts)
    if halves := facts.get("left_out"):
        yield from (
            "",
            "### Sources left out",
            "",
            f"The recipe trained anew for {halves[0]['epochs']} epochs without half of the sources,",
        )
        yield "and asked about all pictures of these but those of test; then the other way round."
        for half in halves:
            names = [*half["film_0"]["by_source"], *half["ct"]["by_source"]]
            yield from ("", f"Left out: {'; '.join(names)}.", "", *_table(half))
    yield from ("", "## Limits", "", *_LIMITS)
    if not halves:
        yield "- How well it knows sources that it did not learn from was not measured."


def _controls(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "### Controls and looks", "", f"Versions judged on test so far: {', '.join(facts['test_uses'])}.")
    if shuffled := facts.get("shuffled"):
        yield f"Trained for {shuffled['epochs']} epochs on shuffled labels, it knows {shuffled['known']:.3f} of validation films' poses"
        yield "exactly; by chance that is .125 at most."


def _made(facts: Mapping[str, Any]) -> Iterator[str]:
    pictures = ", ".join(f"{name} {number}" for name, number in facts["pictures"].items())
    yield (
        f"Four convolutions and a dense layer, {facts['parameters']:,} parameters, run by numpy on 64x64 pixels (`{facts['preprocess']}`)."
    )
    yield "It is asked about a picture in all its eight poses, and its answers are averaged."
    yield f"Trained by `python -m training.pose train`, seed {facts['seed']}, {facts['epochs']} epochs, with {facts['libraries']}."
    yield f"Data: manifests {', '.join(sha256[:16] for sha256 in facts['data_sha256'])}; pictures to learn from: {pictures}."
    yield f"No lateral film was at hand. Laterals are projections of {facts['volumes']} CT series (rays summed from the side)"
    yield "of patients of the split train, and of bodies made of these: cut, stretched, with a drawn spine;"
    yield "and some films are projections of the same series from the front, so that the look of a projection tells nothing."
    yield "Turned films and negatives are made of films that lie right."


def _table(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "| how it lies | images | groups | doubted | known exactly |"
    yield "|---|---|---|---|---|"
    for kind in (*FILMS, "ct", CT_NEGATIVE):
        found = figures[kind]
        yield f"| {_NAMES[kind]} | {found['images']} | {found['groups']} | {_share(found['doubted'])} | {_share(found['known'])} |"


def _share(figure: Mapping[str, Any]) -> str:
    interval = "" if figure["low"] is None else f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{figure['value']:.4f}{interval}"


def _of(counted: list[int] | None) -> str:
    return f"{counted[0]} of {counted[1]}" if counted else ""
