"""The card of the pose network: what it is for, how it was made, what its figures are worth."""

from collections.abc import Iterator
from typing import Final

from lungline import RESEARCH_USE
from models.pose import CT_NEGATIVE, FILMS
from models.records import Figure, PoseEvaluation, PoseRecord

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
    "- A mirrored film is not recognised: left and right are not looked at.",
    "- Oblique and lordotic films were not measured, nor real lateral films.",
    "- A slice that is cut tight to the lungs shows little of its polarity.",
)


def render_pose_card(record: PoseRecord) -> str:
    """Markdown of what `pose.json` says of a network that was judged."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: PoseRecord) -> Iterator[str]:
    val, test = record.val, record.test
    assert val is not None  # it was judged
    assert test is not None
    assert record.beside is not None
    yield from (f"# pose-{record.sha256[:8]}", "", f"**{RESEARCH_USE}**", "", "## What it is for", "")
    yield "It recognises how a chest picture lies: a frontal film by its quarter turns, positive or negative; a lateral film; a CT slice,"
    yield "positive or negative; or something else."
    yield "What lies wrong is turned right before the other networks see it, and sent to review. What is something else, admission judges."
    yield from ("", "## How it was made", "", *_made(record), "", "## Figures", "")
    yield f"Doubted is what lies wrong with a probability above {record.threshold}, chosen on validation."
    yield "The figures are of pictures whose modality neither header nor folder says."
    yield "In brackets 95 % by bootstrap over groups, 2,000 resamples; where none or all of n groups are doubted it has no width,"
    yield "and the true share may lie up to 3/n away."
    for title, measured in (("Validation", val), ("Test", test)):
        yield from ("", f"### {title}", "", *_table(measured))
        negatives = measured.neither
        assert negatives is not None
        yield from (
            "",
            f"Of {negatives.images} pictures that are no chest, {negatives.doubted} are doubted; admission rejects them.",
        )
    edges, thumbnails = record.beside["edges"], record.beside["thumbnails"]
    yield from (
        "",
        f"Beside it, logistic regression on test films, one of eight poses known exactly: thumbnails of 16x16 {thumbnails:.3f},",
    )
    yield f"the brightness of each edge and of the middle {edges:.3f}; chance is .125."
    yield from ("", "### Pictures that lie right and are doubted, by source", "", "| source | validation | test |", "|---|---|---|")
    for kind in ("film_0", "ct"):
        on_val, on_test = val[kind].by_source, test[kind].by_source
        for source in sorted(on_val.keys() | on_test.keys()):
            yield f"| {source} | {_of(on_val.get(source))} | {_of(on_test.get(source))} |"
    yield from (
        "",
        "### Laterals",
        "",
        "Measured on projections of CT series alone, of patients that it did not learn from, those of COVID-CT-MD of the split test;",
        "on no real lateral film.",
    )
    yield from ("", "| series | from the side, doubted | from the front, doubted |", "|---|---|---|")
    for name, found in (record.projections or {}).items():
        yield f"| {name} | {_of(found['lateral'])} | {_of(found['frontal'])} |"
    yield from _controls(record)
    if halves := record.left_out:
        yield from (
            "",
            "### Sources left out",
            "",
            f"The recipe trained anew for {halves[0].epochs} epochs without half of the sources,",
        )
        yield "and asked about all pictures of these but those of test; then the other way round."
        for half in halves:
            names = [*half["film_0"].by_source, *half["ct"].by_source]
            yield from ("", f"Left out: {'; '.join(names)}.", "", *_table(half))
    yield from ("", "## Limits", "", *_LIMITS)
    if not halves:
        yield "- How well it knows sources that it did not learn from was not measured."


def _controls(record: PoseRecord) -> Iterator[str]:
    yield from (
        "",
        "### Controls and use of the test split",
        "",
        f"Versions evaluated on test so far: {', '.join(record.test_uses or ())}.",
    )
    if shuffled := record.shuffled:
        yield f"Trained for {shuffled.epochs} epochs on shuffled labels, it knows {shuffled.known:.3f} of validation films' poses"
        yield "exactly; by chance that is .125 at most."


def _made(record: PoseRecord) -> Iterator[str]:
    pictures = ", ".join(f"{name} {number}" for name, number in record.pictures.items())
    yield (f"Four convolutions and a dense layer, {record.parameters:,} parameters, run by numpy on 64x64 pixels (`{record.preprocess}`).")
    yield "It answers for all eight poses of a picture, and its answers are averaged."
    yield f"Trained by `python -m training.pose train`, seed {record.seed}, {record.epochs} epochs, with {record.libraries}."
    yield f"Data: manifests {', '.join(sha256[:16] for sha256 in record.data_sha256)}; pictures to learn from: {pictures}."
    yield f"No lateral film was at hand. Laterals are projections of {record.volumes} CT series (rays summed from the side)"
    yield "of patients of the split train, and of bodies made of these: cut, stretched, with a drawn spine;"
    yield "and some films are projections of the same series from the front, so that the network cannot go by the look of a projection."
    yield "Turned films and negatives are made of films that lie right."


def _table(measured: PoseEvaluation) -> Iterator[str]:
    yield "| how it lies | images | groups | doubted | known exactly |"
    yield "|---|---|---|---|---|"
    for kind in (*FILMS, "ct", CT_NEGATIVE):
        found = measured[kind]
        yield f"| {_NAMES[kind]} | {found.images} | {found.groups} | {_share(found.doubted)} | {_share(found.known)} |"


def _share(figure: Figure) -> str:
    interval = f" [{figure.low:.3f}, {figure.high:.3f}]" if figure.low is not None and figure.high is not None else ""
    return f"{figure.value:.4f}{interval}"


def _of(counted: tuple[int, int] | None) -> str:
    return f"{counted[0]} of {counted[1]}" if counted else ""
