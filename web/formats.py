"""How values look on the page: percentages, times, durations, words for codes."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

from lungline.reasons import Reason

_WORDS: Final = {
    "covid19": "COVID-19",
    "non_covid": "no COVID-19",
    "cap": "other pneumonia",
    "xray": "X-ray",
    "ct": "CT",
}
_REASONS: Final = {reason.value: reason for reason in Reason}


def percent(share: float | None) -> str:
    """0.9534 -> `95.3 %`."""
    return "–" if share is None else f"{100 * share:.1f} %"


def word(code: str | None) -> str:
    """A code as people say it: `covid19` -> `COVID-19`."""
    return "–" if not code else _WORDS.get(code, code.replace("_", " "))


def words(codes: str | None) -> str:
    """Comma-separated codes as people say them."""
    return ", ".join(map(word, codes.split(","))) if codes else "–"


def instant(value: datetime | str | None) -> Markup:
    """A time in UTC, which page.js shows in the browser's zone."""
    if not value:
        return Markup("–")
    moment = (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(timespec="milliseconds"), f"{moment:%Y-%m-%d %H:%M} UTC")


def duration(seconds: float | None) -> str:
    """95.2 -> `1 min 35 s`."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s" if seconds >= 10 else f"{max(0.0, seconds):.1f} s"
    if whole < 7200:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min" if whole < 172_800 else f"{whole // 86_400} days"


def size(count: int | None) -> str:
    """1536 -> `1.5 KiB`."""
    if count is None:
        return "–"
    amount, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def reason(code: str | None) -> str:
    """What a reason code means, in a sentence."""
    found = _REASONS.get(code or "")
    return found.sentence if found else code or ""


def action(code: str | None) -> str:
    """What a person can do about a reason code."""
    found = _REASONS.get(code or "")
    return found.action if found else ""


def isolated(text: object) -> Markup:
    """Text out of a file, whose direction must not spill over what stands beside it."""
    return Markup("<bdi>{}</bdi>").format(escape(str(text)))


FILTERS: Final[dict[str, Callable[[Any], str]]] = {
    "percent": percent,
    "word": word,
    "words": words,
    "instant": instant,
    "duration": duration,
    "size": size,
    "reason": reason,
    "action": action,
    "isolated": isolated,
}
