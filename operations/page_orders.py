"""What the page has child processes do that load networks, and what they answer; importing this module loads none."""

from typing import Final, Literal

from pydantic import BaseModel

CHANGE: Final = "operations.change_champion"
"""The module that answers a `ChampionOrder`."""
EXAMINE: Final = "operations.doctor.child"
"""The module that answers a `DoctorOrder`."""


class ChampionOrder(BaseModel):
    """Another ensemble is to be the champion."""

    action: Literal["promote", "rollback"]
    version: str = ""
    """That is promoted."""
    name: str | None = None
    """xray, ct or admission, which is rolled back."""
    by: str
    why: str
    although_refused: bool = False


class ChampionChanged(BaseModel):
    """Which ensemble is champion now, and which was."""

    version: str
    former: str | None


class DoctorOrder(BaseModel):
    """Everything is to be looked at."""


class DoctorCheck(BaseModel):
    """What one look found."""

    is_right: bool
    sentence: str


class DoctorReport(BaseModel):
    """What all looks found, in their order."""

    checks: list[DoctorCheck]
