"""What `lungline doctor` does: looks at everything that Lungline stands on, and says what to do about what is wrong."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lungline.errors import LunglineError
from lungline.settings import Settings
from operations.doctor import installation, machine, receiving, retraining, sending

Check = Callable[[Settings], Iterator[str]]
"""Yields a sentence for each thing that is right, and raises a LunglineError at the first that is wrong.

It imports the rooms that it looks at by itself, so that a package that cannot be imported fails this check alone.
"""

CHECKS: Final[Sequence[Check]] = (
    machine.check_versions,
    machine.check_environment,
    machine.check_devices,
    machine.check_folders,
    machine.check_temporary,
    machine.check_watches,
    installation.check_key,
    installation.check_database,
    installation.check_broker,
    installation.check_processes,
    installation.check_page,
    installation.check_models,
    receiving.check_receiver,
    sending.check_deliveries,
    sending.check_asking,
    retraining.check_recipes,
    retraining.check_training_data,
    retraining.check_weights,
    retraining.check_last_run,
)


@dataclass(frozen=True)
class Diagnosis:
    """The outcome of one check."""

    is_right: bool
    sentence: str
    """What was found; where something is wrong, also what mends it."""


def examine(settings: Settings, checks: Sequence[Check] = CHECKS) -> Iterator[Diagnosis]:
    """Makes every check, whatever another finds. Migrates the database if it must."""
    for check in checks:
        try:
            for sentence in check(settings):
                yield Diagnosis(True, sentence)
        except LunglineError as error:
            yield Diagnosis(False, str(error))
        except Exception as error:  # its words may quote an address or a path; the other checks are still worth making
            name = check.__name__.removeprefix("check_")
            yield Diagnosis(False, f"the check of {name} failed unexpectedly ({type(error).__name__})")
