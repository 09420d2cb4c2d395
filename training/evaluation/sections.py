"""What is told of a member or an ensemble, in sections of sentences and tables: cards and reports show the same words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lungline.findings import FINDINGS, Modality
from training.evaluation.caveats import CardData, caveats, evaluated_splits
from training.evaluation.controls import SHUFFLES
from training.metrics.figures import RESAMPLES
from training.metrics.reliability import BINS, COVERAGES
from training.predictions.measure import PREVALENCE


@dataclass(frozen=True)
class Table:
    """A head and rows of cells; `**` around a cell makes it stand out."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """Sentences and tables about one thing; `name` tells which."""

    name: str
    title: str
    parts: tuple[str | Table, ...]


def sections(facts: CardData) -> list[Section]:
    """All that is to be said, in order."""
    lines = caveats(facts)
    found = [Section("caveats", "What these figures are worth", tuple(lines))] if lines else []
    found.append(Section("made", "How it was made", tuple(_ensemble(facts) if "members" in facts else _member(facts))))
    if "as_published" in facts:
        found.append(Section("published", "As it was published", tuple(_published(facts))))
    found += _admission(facts) if facts["modality"] is None else _findings(facts)
    return [*found, Section("uses", "Looks at the test split", tuple(_test_split_looks(facts)))]


def bar(figure: Mapping[str, float | None] | None) -> str:
    """A figure with its interval, as far as it has them."""
    if figure is None:
        return ""
    interval = f" [{figure['low']:.3f}, {figure['high']:.3f}]" if figure.get("low") is not None else ""
    return f"{figure['value']:.3f}{interval}"


def _member(facts: CardData) -> Iterable[str]:
    yield (
        f"{facts['architecture']}, {facts['parameters']:,} parameters, preprocessing `{facts['preprocess']}`; "
        f"answers {', '.join(facts['outputs'])}."
    )
    if "imported" in facts:
        yield (
            f"Trained elsewhere, and taken in by recipe `{facts['recipe']}` from a file with sha256 "
            f"{facts['imported']['file_sha256'][:16]}. "
            "On which pictures it was trained is not known: some of those below may be among them."
        )
        return
    yield (
        f"Trained by recipe `{facts['recipe']}`, seed {facts['seed']}, {facts['epochs']} epochs (the best was {facts['best_epoch']}), "
        f"base weights: {facts['base']}."
    )
    if "versions" in facts:
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        yield f"Data: manifest sha256 {facts['data_sha256'][:16]}. Made with {versions}. Weights: see LICENSE-weights.md."


def _ensemble(facts: CardData) -> Iterable[str | Table]:
    members = (
        (f"{member['member']}-{member['sha256'][:8]}", f"{member['weight']:.2f}", f"{member['temperature']:.2f}")
        for member in facts["members"]
    )
    yield Table(("member", "weight in the vote", "temperature"), tuple(members))
    if "margin" in facts["thresholds"]:
        yield (
            f"A scan goes to review if the two most probable findings are closer than {facts['thresholds']['margin']:.3f}, or "
            f"the members differ by more than {facts['thresholds']['disagreement']:.3f}. "
            "Temperatures, weights and thresholds were chosen on validation."
        )


def _published(facts: CardData) -> Iterable[str | Table]:
    """The published figure, the same by the published protocol, and the honest one."""
    own = facts["as_published"]
    metric, value = own["published"]["metric"], own["published"]["value"]
    said = f"{value:.3f}" if value is not None else "in no text"
    counts = f"{own['figures']['images']} ({own['figures']['groups']})"
    rows = [
        (f"published: {own['published']['on']}", "", said),
        ("here, by the published protocol", counts, bar(own["figure"])),
        *(
            (f"**here, on {split}, by groups that nothing learnt from**", f"{of['images']} ({of['groups']})", bar(of.get(metric)))
            for split, of in evaluated_splits(facts)
        ),
    ]
    yield f"{own['system']}. {own['protocol']}"
    yield Table(("", "images (groups)", metric.replace("_", " ")), tuple(rows))
    yield "What is wrong with the protocol: " + " ".join(own["wrong"])
    if "confusion" in own["figures"]:  # members of older versions lack it
        yield from _of_findings("held out by the published protocol", own["figures"], "covid19")
    if own.get("otherwise"):
        yield "Done otherwise than by its article: " + " ".join(own["otherwise"])
    if own["unstated"]:
        yield "Not stated by its article, and chosen here: " + "; ".join(own["unstated"]) + "."


def _findings(facts: CardData) -> Iterable[Section]:
    splits = evaluated_splits(facts)
    if not splits:
        return
    first = next(iter(splits[0][1]["confusion"]))
    head = ("", "images (groups)", "macro AUROC", f"{first} AUROC", "balanced accuracy", "accuracy")
    parts: list[str | Table] = [
        f"In brackets 95 % by bootstrap over groups, {RESAMPLES:,} resamples. Validation chose epoch, temperature and thresholds: test is "
        "the honest row.",
        Table(head, tuple(row for split, measured in splits for row in _whole(split, measured, first))),
    ]
    known = splits[0][1]["confusion"]
    if unknown := [finding for finding in FINDINGS[Modality(facts["modality"])] if finding not in known]:
        parts.append(f"Judged are scans of {', '.join(known)} alone: it cannot tell {', '.join(unknown)}.")
    elif facts["modality"] == "ct":
        parts.append(
            "Judged are covid19 and the same sources' non_covid slices; community pneumonia and normal slices come from other sources."
        )
    yield Section("figures", "Figures", tuple(parts))
    if within := [row for split, measured in splits for row in _within(split, measured, first)]:
        honest = (
            "Labels follow sources: the source rule answers with a source's commonest training label and never looks at the picture. "
            "Figures within one source are the honest ones. Shown is each source with three pictures or more of two findings."
        )
        yield Section("sources", "Within each source", (honest, Table(head, tuple(within))))
    split, measured = splits[0]
    if apart := list(_without_sources(measured, first)):
        yield Section("left_out", f"Each source left out of training, on {split}", tuple(apart))
    if lost := tuple(_lost(facts["teacher"], split, of["lost_to_teacher"]) for split, of in splits if "lost_to_teacher" in of):
        yield Section("student", "What it loses against the ensemble that taught it", lost)
    yield Section("findings", f"Each finding, on {split}", tuple(_of_findings(split, measured, first)))
    if controls := list(_controls(measured)):
        yield Section("controls", f"Negative controls, on {split}", tuple(controls))
    yield Section("calibration", "Calibration", tuple(_calibration(split, measured) for split, measured in splits))
    yield Section("coverage", "Risk against coverage", tuple(line for split, measured in splits for line in _coverage(split, measured)))


def _whole(split: str, measured: CardData, first: str) -> Iterable[tuple[str, ...]]:
    """A split, and beside it what needs no look at the lungs."""
    yield _row(f"**{split}**", measured, measured, first)
    for rival, of in measured.get("beside", {}).items():
        yield _row(f"beside it: {_called(rival)}", of, measured, first)


def _within(split: str, measured: CardData, first: str) -> Iterable[tuple[str, ...]]:
    """The same, source by source."""
    for source, here in measured["within_source"].items():
        yield _row(f"**{split}, {source}**", here, here, first)
        for rival, of in measured.get("beside", {}).items():
            if source in of["within_source"]:
                yield _row(f"beside it: {_called(rival)}", of["within_source"][source], here, first)


def _row(name: str, of: CardData, counts: CardData, first: str) -> tuple[str, ...]:
    names = ("macro_auroc", f"{first}_auroc", "balanced_accuracy", "accuracy")
    return (name, f"{counts['images']} ({counts['groups']})", *(bar(of.get(each)) for each in names))


def _without_sources(measured: CardData, first: str) -> Iterable[str | Table]:
    """What the recipe makes of a source that it did not learn from, beside what it makes of it else."""
    rows: list[tuple[str, ...]] = []
    for source, apart in measured.get("left_out", {}).get("within_source", {}).items():
        whole = measured["within_source"][source]
        rows += [_row(f"**{source}, left out**", apart, apart, first)[:-1], _row("the same, as it was trained", whole, apart, first)[:-1]]
    if rows:
        yield "Trained anew without a source, and asked about that one: the nearest that these data come to a new hospital."
        yield Table(("", "images (groups)", "macro AUROC", f"{first} AUROC", "balanced accuracy"), tuple(rows))


def _called(rival: str) -> str:
    return rival.replace("_", " ")


def _lost(teacher: str, split: str, lost: CardData) -> str:
    names = {"macro AUROC": "macro_auroc", "balanced accuracy": "balanced_accuracy", "Brier score": "brier"}
    by = ", ".join(f"{called} {bar(lost.get(name))}" for called, name in names.items())
    by += f". Both give the same finding to {lost['same_finding']['value']:.0%}."
    return f"On the same {split} scans `{teacher}` is better by (below zero: worse): {by}"


def _of_findings(split: str, measured: CardData, first: str) -> Iterable[str | Table]:
    names = ("sensitivity", "specificity", "precision", "f1")
    confusion = measured["confusion"]
    rows = [
        (finding, str(sum(answers.values())), *(bar(measured.get(f"{finding}_{name}")) for name in names))
        for finding, answers in confusion.items()
    ]
    yield Table((split, "support", "sensitivity (recall)", "specificity", "precision", "F1"), tuple(rows))
    if at := bar(measured.get(f"{first}_precision_at_10")):
        yield f"Precision of {first} where {PREVALENCE:.0%} have it: {at}."
    answers = tuple(confusion)
    counts = tuple((label, *(str(row[answer]) for answer in answers)) for label, row in confusion.items())
    yield Table((f"{split}: label \\ answer", *answers), counts)


def _controls(measured: CardData) -> Iterable[str]:
    if "black_lungs" in measured:
        dark = measured["black_lungs"]
        yield (
            f"Lungs blacked out: macro AUROC {bar(dark.get('macro_auroc')) or 'not defined'}, balanced accuracy "
            f"{bar(dark.get('balanced_accuracy'))}. What is above chance is known from the framing, the border and what is written on it."
        )
    if "shuffled_labels" in measured:
        shuffled = measured["shuffled_labels"]["macro_auroc"]
        yield (
            f"Trained on shuffled labels, {SHUFFLES} times: macro AUROC {shuffled['value']:.3f} on the mean, "
            f"from {shuffled['lowest']:.3f} to {shuffled['highest']:.3f}; .5 is chance."
        )
    if scores := [f"{label} {figure['value']:.3f}" for label, figure in measured.get("source_in_features", {}).items()]:
        yield f"The features tell the source of pictures with one label, macro AUROC: {', '.join(scores)}; .5 would be blind to it."


def _calibration(split: str, measured: CardData) -> str:
    brier, before, after = (measured[name]["value"] for name in ("brier_before", "ece_before", "ece"))
    return (
        f"On {split}, before and after temperature: Brier {brier:.3f} and {bar(measured['brier'])}; ECE ({BINS} bins of equal mass) "
        f"{before:.3f} and {after:.3f}; perfect calibration would show {bar(measured['ece_null'])}."
    )


def _coverage(split: str, measured: CardData) -> Iterable[str]:
    shares = ", ".join(f"{measured[f'accuracy_at_coverage_{percent}']['value']:.3f} of {percent} %" for percent in COVERAGES)
    yield f"Accuracy on {split} among the surest: {shares}."
    if "accepted_share" in measured:
        right = bar(measured.get("accepted_accuracy"))
        yield (
            f"At the thresholds {measured['accepted_share']['value']:.0%} of {split} scans are accepted"
            + (f", and {right} of these are right" if right else "")
            + f". Mean disagreement of the members {measured['disagreement']['value']:.3f}."
        )


def _admission(facts: CardData) -> Iterable[Section]:
    names = ("xray_kept", "ct_kept", "kept", "right_modality", "turned_away")
    splits = evaluated_splits(facts)
    rows = [(split, str(of["images"]), *(bar(of.get(name)) for name in names)) for split, of in splits]
    kinds = sorted({kind for _, of in splits for kind in of["within_source"]})
    head = ("", "images", "chest X-rays kept", "lung CT kept", "both kept", "of these, right modality", "others turned away")
    yield Section(
        "figures",
        "Figures",
        (
            f"In brackets 95 % by bootstrap over groups, {RESAMPLES:,} resamples.",
            Table(head, tuple(rows)),
            Table(
                ("others turned away, by kind", *(split for split, _ in splits)),
                tuple((kind, *(_of_kind(of, kind) for _, of in splits)) for kind in kinds),
            ),
            f"A picture is turned away when `neither` is more probable than {facts['threshold']}, chosen on validation.",
            "Not measured: films of shoulder, spine and abdomen, and CT of the upper abdomen.",
        ),
    )


def _of_kind(measured: CardData, kind: str) -> str:
    figure = measured["within_source"].get(kind, {}).get("turned_away")
    return f"{figure['value']:.3f} of {figure['images']}" if figure else ""


def _test_split_looks(facts: CardData) -> Sequence[str]:
    if "test_uses" in facts:
        versions = facts["test_uses"]
        return [f"This test split was looked at for {len(versions)} versions so far: {', '.join(versions)}."]
    return ["Not judged on test yet: `lungline evaluate` does so."] if not {"figures", "judged_on"} & set(facts) else []
