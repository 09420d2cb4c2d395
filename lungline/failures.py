"""What fails again and again in a loop that must go on: logged once, not each time, and once more when it is over."""

import structlog

from lungline.errors import LunglineError

log = structlog.get_logger()


class Failures:
    """The steps of one loop that fail now. Of an error that is not ours only the type is logged: its words may quote anything."""

    def __init__(self, failing: str, over: str) -> None:
        """`failing`, `over`: what the log says of a step that fails, and of one that does so no longer."""
        self._failing = failing
        self._over = over
        self._logged: dict[str, tuple[str, str]] = {}

    def note(self, step: str, error: Exception) -> None:
        """A step failed."""
        kind = type(error).__name__
        advice = str(error) if isinstance(error, LunglineError) else "unexpected; see `lungline doctor`"
        if self._logged.get(step) != (kind, advice):
            self._logged[step] = kind, advice
            log.warning(self._failing, step=step, error=kind, advice=advice)

    def end(self, step: str) -> None:
        """A step succeeded."""
        if self._logged.pop(step, None):
            log.info(self._over, step=step)
