"""When a crontab line is due, in UTC, whatever daylight saving does to its hour."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lungline.errors import SettingsError
from lungline.schedule import Schedule
from lungline.settings import load

BERLIN = ZoneInfo("Europe/Berlin")
SKIPPED = datetime(2026, 3, 27, 12, tzinfo=UTC)  # before the night of 29 March, which has no 02:30
DOUBLED = datetime(2026, 10, 23, 12, tzinfo=UTC)  # before the night of 25 October, which has two


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def seen(schedule: Schedule, begin: datetime, hours: int = 72) -> list[datetime]:
    """What a dispatcher that looks every seven minutes meets."""
    reads = (schedule.latest(begin + timedelta(minutes=minute)) for minute in range(0, hours * 60, 7))
    return sorted({due for due in reads if due > begin})


@pytest.mark.parametrize(
    ("begin", "nights"),
    [
        (SKIPPED, ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]),
        (DOUBLED, ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]),
    ],
    ids=["skipped", "doubled"],
)
def test_hour_skipped_or_doubled_by_daylight_saving_runs_once(begin: datetime, nights: list[str]) -> None:
    schedule = Schedule("30 2 * * *", BERLIN)
    assert seen(schedule, begin) == [at(night) for night in nights]
    forward, due = begin, list[datetime]()
    while len(due) < len(nights):
        forward = schedule.next(forward)
        due.append(forward)
    assert due == [at(night) for night in nights]


def test_a_schedule_by_the_minute_runs_by_the_minutes_that_pass() -> None:
    assert len(seen(Schedule("*/30 * * * *", BERLIN), DOUBLED, 24)) == 47  # and the one that began it


def test_the_very_instant_is_due() -> None:
    schedule = Schedule("0 3 * * 0", UTC)
    sunday = at("2026-11-22T03:00")
    assert schedule.latest(sunday) == sunday
    assert schedule.latest(sunday - timedelta(microseconds=1)) == sunday - timedelta(days=7)
    assert schedule.latest(sunday + timedelta(milliseconds=3)) == sunday
    assert schedule.next(sunday) == sunday + timedelta(days=7)


@pytest.mark.parametrize("line", ["", "yearly", "0 3 * *", "61 3 * * 0", "0 3 * * 0 2026", "0 0 30 2 *", "* * * * * *"])
def test_line_that_never_matches_is_refused_by_its_setting(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_RETRAIN_CRON", line or " ")
    with pytest.raises(SettingsError, match="LUNGLINE_RETRAIN_CRON"):
        load()


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "/etc/localtime"])
def test_a_time_zone_that_is_none_is_refused_by_its_setting(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_TIMEZONE", name)
    with pytest.raises(SettingsError, match="LUNGLINE_TIMEZONE"):
        load()


def test_settings_give_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().schedule.next(at("2026-11-21T00:00")) == at("2026-11-22T03:00")
    monkeypatch.setenv("LUNGLINE_TIMEZONE", "Europe/Berlin")
    assert load().schedule.next(at("2026-11-21T00:00")) == at("2026-11-22T02:00")
