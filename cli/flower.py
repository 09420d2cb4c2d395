"""`lungline flower`: the web pages that show scans as tasks, workers and queues, for whoever has the password."""


def flower() -> None:
    """Serve Flower, which shows tasks, workers and queues; `up` starts it automatically."""
    from lungline import log
    from lungline.presence import Presence
    from lungline.settings import load
    from supervisor import flower_server

    settings = load()
    log.configure("flower", settings.log_format)
    flower_server.serve(settings, Presence.take(settings.layout.run, "flower"))
