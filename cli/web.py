"""`lungline web`: the page that shows studies, scans and how the system is, for its users."""


def web() -> None:
    """Serve the page; `up` starts it automatically."""
    from lungline import log
    from lungline.presence import Presence
    from lungline.settings import load
    from web.server import NAME, serve

    settings = load()
    log.configure(NAME, settings.log_format)
    serve(settings, Presence.take(settings.layout.run, NAME))
