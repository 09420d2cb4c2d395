"""`lungline watch` and `lungline work inference|training`: one process each; `lungline up` starts these very commands."""

import typer

work = typer.Typer(help="One worker process; `lungline up` starts these by itself.", no_args_is_help=True)


@work.callback()
def workers() -> None:
    """One worker process; `lungline up` starts these by itself."""


def watch() -> None:
    """Watch the inbox: take files in, and ring for those that wait."""
    from lungline import log
    from lungline.settings import load
    from watcher.watch import run

    log.configure("watch")
    run(load())


@work.command()
def inference(slot: int = typer.Option(0, min=0, help="Which of this home's workers: one for each device.")) -> None:
    """Read scans: decode, run the ensembles, write verdicts."""
    from lungline import log
    from lungline.settings import load
    from workers.inference import run

    log.configure(f"inference-{slot}")
    run(load(), slot)


@work.command()
def training() -> None:
    """Retrain networks: one run at a time, at the lowest priority."""
    from lungline import log
    from lungline.settings import load
    from workers.training import run

    log.configure("training")
    run(load())
