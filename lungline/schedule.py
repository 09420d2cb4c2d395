"""When retraining is due: a crontab line in a time zone, as UTC instants."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


@dataclass(frozen=True)
class Schedule:
    """A crontab line of five fields in a time zone, by the rules of Debian's cron.

    An hour that daylight saving skips runs once, at the first minute after the gap; one that it doubles runs once, too. A line whose
    minutes or hours begin with a star runs by the minutes that really pass.
    """

    crontab: str
    zone: tzinfo

    def latest(self, at: datetime) -> datetime:
        """The last instant at or before `at` (aware) that is due, in UTC."""
        # CronSim looks before an instant; ours counts, too
        return self._ticks(at.replace(microsecond=0) + timedelta(seconds=1), reverse=True)

    def next(self, at: datetime) -> datetime:
        """The first instant after `at` (aware) that is due, in UTC."""
        return self._ticks(at, reverse=False)

    def _ticks(self, at: datetime, *, reverse: bool) -> datetime:
        return next(CronSim(self.crontab, at.astimezone(self.zone), reverse=reverse)).astimezone(UTC)


def crontab_of(text: str) -> str:
    """A crontab line of five fields that comes due some day.

    Raises:
        ValueError: it is none.
    """
    if len(text.split()) != 5:
        raise ValueError("must be five crontab fields, such as 0 3 * * 0")
    try:
        next(CronSim(text, datetime.now(UTC)))
    except CronSimError as error:
        raise ValueError(f"is not a crontab line ({error}): it needs five fields, such as 0 3 * * 0") from None
    except StopIteration:
        raise ValueError("is a schedule that never comes") from None
    return text


def zone_of(name: str) -> tzinfo:
    """The time zone of this name; UTC needs no time zone database.

    Raises:
        ValueError: there is none.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone such as UTC or Europe/Berlin, and the system must know it (package tzdata)") from None
