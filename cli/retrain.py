"""`lungline retrain`: a training run by hand, beside those of the schedule."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from operations.retrain import FollowedRun

_NOBODY = "no training worker runs on this home: start `lungline up`, or only `lungline work training`"


def retrain(
    recipe: Annotated[
        list[str] | None,
        typer.Option(help="Train this recipe; may be given more than once. Default: LUNGLINE_RETRAIN_RECIPES, else the champions'."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Train even if there are no new labels or data since the last run.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Wait until the run has ended, and show its progress; Ctrl-C leaves it running.")
    ] = False,
) -> None:
    """Enter a training run; the training worker starts it as soon as no other runs, at the lowest priority."""
    from lungline.progress import say
    from lungline.settings import load
    from operations.retrain import enter_run, follow_run, has_worker

    settings = load()
    run_id = enter_run(settings, recipe or (), forced=force)
    print(run_id, flush=True)
    if not now:
        if not has_worker(settings):
            say(f"waiting: {_NOBODY}")
        return
    said, state = "", ""
    for found in follow_run(settings, run_id):
        state = found.progress.state
        if (line := _line(found)) != said:
            said = line
            say(line)
    raise typer.Exit(0 if state == "done" else 1)


def _line(found: "FollowedRun") -> str:
    run = found.progress
    if run.has_ended:
        return f"{run.decision or run.state}: {run.reason}"
    if run.step:
        return f"{run.state}: {run.step}"
    return f"waiting: {_NOBODY}" if run.state == "waiting" and not found.has_worker else run.state
