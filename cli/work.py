"""`lungline watch` and `lungline work inference|training|deliver|ask`: one process each; `lungline up` starts these very commands."""

from typing import Annotated

import typer

work = typer.Typer(help="Run one worker process; `lungline up` starts them automatically.", no_args_is_help=True)


@work.callback()
def workers() -> None:
    """One worker process; `lungline up` starts these by itself."""


def watch() -> None:
    """Watch the inbox, take files in, and tell workers about waiting scans."""
    import structlog

    from jobs.app import make_app
    from jobs.queues import require
    from lungline import log
    from lungline.errors import BrokerError
    from lungline.settings import load
    from watcher.watch import run

    settings = load()
    log.configure("watch", settings.log_format)
    try:
        require(make_app(settings))
    except BrokerError as error:  # files are taken in all the same, and rung for once that is mended
        structlog.get_logger().error("no doorbell can be rung", advice=str(error))
    run(settings)


@work.command()
def inference(
    slot: Annotated[int, typer.Option(min=0, help="The number of this worker; one worker for each device.")] = 0,
) -> None:
    """Run an inference worker: it decodes scans, runs the ensembles, and writes verdicts."""
    from jobs.app import make_app
    from jobs.queues import require
    from lungline import log
    from lungline.settings import load
    from workers.inference import run

    settings = load()
    log.configure(f"inference-{slot}", settings.log_format)
    require(make_app(settings))
    run(settings, slot)


@work.command()
def training() -> None:
    """Run the training worker: one training run at a time, at the lowest priority."""
    from jobs.app import make_app
    from jobs.queues import require
    from lungline import log
    from lungline.settings import load
    from workers.training import run

    settings = load()
    log.configure("training", settings.log_format)
    require(make_app(settings))
    run(settings)


@work.command()
def deliver() -> None:
    """Run the process that sends results of studies to the targets of LUNGLINE_DELIVER_TO."""
    from jobs.app import make_app
    from jobs.queues import require
    from lungline import log
    from lungline.settings import load
    from pacs.deliver import NAME, run

    settings = load()
    log.configure(NAME, settings.log_format)
    require(make_app(settings))
    run(settings)


@work.command()
def ask() -> None:
    """Run the process that asks the PACS of LUNGLINE_DICOM_ASK how many images series have."""
    from lungline import log
    from lungline.settings import load
    from pacs.ask import NAME, run

    settings = load()
    log.configure(NAME, settings.log_format)
    run(settings)
