"""`lungline up`: everything that one machine needs, in the foreground, until it is stopped."""


def up() -> None:
    """Start everything on this machine, and keep it running until Ctrl-C."""
    from lungline.settings import load
    from supervisor.up import run

    run(load())
