"""`lungline reconcile`: proves that every drop is accounted for."""

from typing import Annotated

import typer


def reconcile(
    deep: Annotated[bool, typer.Option("--deep", help="Also read all files in the store, and compare them with their hashes.")] = False,
) -> None:
    """Check that no file or scan is lost or doubled; if one is, exit 1 and say what is wrong."""
    from lungline.presence import live
    from lungline.progress import steps
    from lungline.settings import load
    from operations.reconcile import add_up, check, count_altered

    settings = load()
    wrong = 0
    for rule in check(settings):
        wrong += rule.wrong
        print(f"{rule.wrong or 'ok':<5} {rule.sentence}")
    for sum_ in add_up(settings):
        print(f"{sum_.total} {sum_.name} = " + " + ".join(f"{count} {part}" for part, count in sum_.parts.items()))
    if deep:
        altered = count_altered(settings, steps)
        wrong += altered
        print(f"{altered or 'ok':<5} files in the store that differ from their hash, or cannot be read")
        if altered:
            print("Restore these from a backup of LUNGLINE_STORE, then check the disk, and what else writes to it.")
    if wrong:
        runs = "watch" in live(settings.layout.run)
        advice = "while files are being taken in, run it again in a minute" if runs else "no watcher of this home runs: start `lungline up`"
        print(f"{wrong} problems; {advice}.")
        raise typer.Exit(1)
