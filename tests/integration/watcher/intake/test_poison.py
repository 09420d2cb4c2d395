"""A file that fails in a way that nobody reckoned with is refused; those that came with it are taken in."""

from dataclasses import replace
from pathlib import Path

import pytest

from db.tables import Outcome
from tests.integration.watcher.intake.place import IntakePlace

UNBINDABLE = "\udcff"  # half a letter: no database takes it


def reasons(place: IntakePlace) -> list[str]:
    with place.engine.connect() as connection:
        return sorted(row[0] for row in connection.exec_driver_sql("SELECT reason FROM quarantined_files"))


@pytest.mark.parametrize("at", [0, 3, 6])
def test_row_refused_by_the_database_costs_no_other_file(place: IntakePlace, at: int) -> None:
    staged = [place.stage(place.drop(f"{number}.png", b"%d" % number)) for number in range(7)]
    staged[at] = replace(staged[at], drop=replace(staged[at].drop, sha256=UNBINDABLE))
    outcomes = place.entering.enter(staged)
    assert outcomes == [Outcome.REFUSED if number == at else Outcome.ACCEPTED for number in range(7)]
    assert place.counts() == (7, 6, 0, 1)
    assert reasons(place) == ["internal_error"]
    assert place.in_incoming() == []
    assert place.store.refused_names(staged[at].drop.id) == [f"{at}.png"]


def test_row_refused_in_any_form_stays_in_staging(place: IntakePlace) -> None:
    staged = [place.stage(place.drop("a.png", b"a")), place.stage(place.drop("b.png", b"b"))]
    staged[0] = replace(staged[0], drop=replace(staged[0].drop, bytes=2**70))
    assert place.entering.enter(staged) == [Outcome.ACCEPTED]
    assert place.counts() == (1, 1, 0, 0)
    assert place.leftovers.finish() == 1  # looked at anew, it is a file like any other
    assert place.counts() == (2, 2, 0, 0)


def test_senseless_leftovers_do_not_block_the_others(place: IntakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.stage(place.drop("a.png", b"a"))
    place.stage(place.drop("b.png", b"b"))
    iterdir = Path.iterdir
    seen: list[Path] = []

    def stumbles(path: Path) -> object:
        if path != place.store.incoming and not seen:
            seen.append(path)
            raise RuntimeError
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", stumbles)
    assert place.leftovers.finish() == 1
    assert place.leftovers.finish() == 1
    assert place.counts() == (2, 2, 0, 0)
