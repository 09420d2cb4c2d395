"""`lungline doctor`: looks at everything that Lungline stands on, and says what to do about what is wrong."""

import typer


def doctor() -> None:
    """Check versions, settings, folders, database, broker and models; exit 1 if something is wrong."""
    from lungline import log
    from lungline.settings import load
    from operations.doctor.examine import examine

    log.configure("doctor")  # to standard error: standard output is for what was found
    is_wrong = False
    for diagnosis in examine(load()):
        is_wrong |= not diagnosis.is_right
        print(f"{'ok    ' if diagnosis.is_right else 'WRONG '} {diagnosis.sentence}")
    raise typer.Exit(1 if is_wrong else 0)
