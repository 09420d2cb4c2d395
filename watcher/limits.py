"""How long the watcher waits for what, and how much it keeps in mind."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Limits:
    """Times in seconds. Tests shorten some; an installation has `USUAL`."""

    rescan: float = 60.0  # between two walks of the inbox where events come
    poll: float = 2.0  # and where none do
    tend: float = 15.0  # between two looks at what was left over or is held
    full: float = 10.0  # a store that cannot take more is left alone for so long
    patience: float = 30.0  # after the last change of a file: for an end mark to come, or a writer to let go
    patience_for_archive: float = 600.0  # the same for an archive without its end that may be open: what is cut off is of no use
    patience_if_empty: float = 5.0  # some clients create a file, close it, and fill it later
    unreadable: float = 600.0  # a file that cannot be read for so long, and does not change, will not be read
    unsure: float = 60.0  # so long a file must look the same that may be open
    files_max: int = 10_000  # files at a time: what waits behind them costs no memory. As many urgent ones find room besides.


USUAL: Final = Limits()
