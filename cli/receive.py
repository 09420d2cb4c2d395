"""`lungline receive`: the DICOM receiver; `lungline up` starts this very command where a port is set."""


def receive() -> None:
    """Receive what a PACS sends by DICOM (C-STORE), and put it into the inbox."""
    from lungline import log
    from lungline.settings import load
    from pacs.receive import NAME, run

    settings = load()
    log.configure(NAME, settings.log_format)
    run(settings)
