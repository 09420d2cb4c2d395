"""`python -m training.series`: chooses the rule from slices to series for the CT ensemble that ships, and tells how each did."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer


def main(
    data: Annotated[list[str], typer.Option(help="PATH=SPLIT,SPLIT: a labelled data set, and its splits that no member was trained on.")],
    table: Annotated[list[Path], typer.Option(help="A table of labelled slices of whole series, to choose on.")],
    report: Annotated[list[Path], typer.Option(help="A table of series that nothing was chosen on, to report on.")],
    out: Annotated[Path, typer.Option(help="Where the rule is written.")],
    lung_share_min: Annotated[float, typer.Option(help="Slices whose lungs fill less of the body's box do not count.")] = 0.1,
) -> None:
    """Choose by sources left out, fit on all of them, write the rule, and report on the series kept apart."""
    from lungline.durable import replace_text
    from lungline.findings import Modality
    from models import registry
    from training.series import choose, patients

    pictures = [picture for said in data for picture in patients.of_folder(Path(said.split("=")[0]), said.split("=")[1].split(","))]
    known = patients.score([*pictures, *(picture for path in table for picture in patients.of_table(path))], lung_share_min)
    for (source, is_covid19), count in sorted(Counter((patient.source, patient.is_covid19) for patient in known).items()):
        typer.echo(f"{source}: {count} {'covid19' if is_covid19 else 'non_covid'}")
    fits = choose.compare(known)
    typer.echo("\n| rule | log loss [95 % over sources] | AUROC by patient |\n|---|---|---|")
    for fitted in fits:
        typer.echo(f"| {fitted.name} | {fitted.loss:.3f} [{fitted.loss_low:.3f}, {fitted.loss_high:.3f}] | {fitted.auroc:.3f} |")
    rule = choose.make_rule(fits[0], known, lung_share_min, registry.shipped()[Modality.CT].version)
    replace_text(out, rule.model_dump_json(indent=2) + "\n")
    typer.echo(f"\n{rule.version}: {fits[0].name}, accepted below {rule.low:.3f} or above {rule.high:.3f}")
    for patient in patients.score((picture for path in report for picture in patients.of_table(path)), lung_share_min):
        found = rule.judge(patient.slices)
        truth = "covid19" if patient.is_covid19 else "non_covid"
        typer.echo(f"{patient.name} ({truth}, {len(patient.slices)} slices): {found.finding} {found.probability:.3f}")


if __name__ == "__main__":
    typer.run(main)
