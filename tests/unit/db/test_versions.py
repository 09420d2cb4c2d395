"""One champion a name, whoever promotes; and every change of one kept."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, text

from db import gates, runs, versions
from db.gates import Gate
from db.versions import Version
from lungline.errors import ModelError
from lungline.findings import Modality


def ensemble(number: int, *, shipped: bool = False, members: tuple[str, ...] = ()) -> list[Version]:
    """An X-ray ensemble with its members."""
    own = members or (f"a-{number}",)
    parts = [Version(member, "member", member.split("-")[0], Modality.XRAY, "0" * 64, shipped) for member in own]
    return [Version(f"xray-{number}", "ensemble", "xray", Modality.XRAY, "0" * 64, shipped, own), *parts]


def states(connection: Connection) -> dict[str, str]:
    return {row.version: row.state for row in connection.execute(text("SELECT version, state FROM model_versions"))}


def promotions(connection: Connection) -> list[tuple[str, str | None, str, str]]:
    query = text("SELECT action, from_version, to_version, promoted_by FROM model_promotions ORDER BY promoted_at")
    return [tuple(row) for row in connection.execute(query)]


def test_what_ships_first_judges_and_what_is_trained_waits(connection: Connection) -> None:
    versions.enter(connection, [*ensemble(1, shipped=True), *ensemble(2)])
    versions.enter(connection, [*ensemble(1, shipped=True), *ensemble(2)])
    assert states(connection) == {"a-1": "champion", "a-2": "challenger", "xray-1": "champion", "xray-2": "challenger"}
    assert promotions(connection) == [("promote", None, "xray-1", "lungline")]


def test_nothing_in_the_store_becomes_champion_by_itself(connection: Connection) -> None:
    versions.enter(connection, ensemble(2))
    assert versions.champions(connection) == {}


def test_an_upgrade_takes_the_place_of_what_shipped_before(connection: Connection) -> None:
    versions.enter(connection, ensemble(1, shipped=True))
    versions.enter(connection, ensemble(2, shipped=True))
    assert states(connection) == {"a-1": "retired", "a-2": "champion", "xray-1": "retired", "xray-2": "champion"}
    assert promotions(connection)[-1] == ("promote", "xray-1", "xray-2", "lungline")


def test_a_host_that_is_not_yet_upgraded_changes_nothing_back(connection: Connection) -> None:
    for number in (1, 2, 1, 2, 1):
        versions.enter(connection, ensemble(number, shipped=True))
    assert versions.champions(connection) == {"xray": "xray-2"}
    assert len(promotions(connection)) == 2
    assert versions.before(connection, "xray") == ("xray-2", "xray-1")  # the way back to an older Lungline


def test_an_upgrade_leaves_alone_what_a_person_promoted(connection: Connection) -> None:
    versions.enter(connection, [*ensemble(1, shipped=True), *ensemble(5)])
    versions.promote(connection, "xray-5", ["a-5"], "dr who", "better")
    versions.enter(connection, [*ensemble(2, shipped=True), *ensemble(5)])
    versions.enter(connection, ensemble(2, shipped=True))  # the store is away
    assert versions.champions(connection) == {"xray": "xray-5"}
    assert states(connection)["xray-2"] == "challenger"


def test_upgrade_replaces_a_shipped_version_after_rollback(connection: Connection) -> None:
    versions.enter(connection, [*ensemble(1, shipped=True), *ensemble(5)])
    versions.promote(connection, "xray-5", ["a-5"], "dr who", "better")
    versions.rollback(connection, "xray-5", "xray-1", ["a-1"], "dr who", "not better")
    versions.enter(connection, [*ensemble(2, shipped=True), *ensemble(5)])
    assert versions.champions(connection) == {"xray": "xray-2"}


def test_members_come_and_go_with_their_ensemble(connection: Connection) -> None:
    versions.enter(connection, [*ensemble(1, shipped=True, members=("a-1", "b-1")), *ensemble(2, members=("a-1", "b-2", "c-2"))])
    versions.promote(connection, "xray-2", ["a-1", "b-2", "c-2"], "dr who", "better")
    members = {name: state for name, state in states(connection).items() if not name.startswith("xray")}
    assert members == {"a-1": "champion", "b-1": "retired", "b-2": "champion", "c-2": "champion"}


def test_the_way_back_goes_one_further_each_time(connection: Connection) -> None:
    versions.enter(connection, [*ensemble(1, shipped=True), *ensemble(2), *ensemble(3), *ensemble(4)])
    for number in (2, 3):
        assert versions.promote(connection, f"xray-{number}", [f"a-{number}"], "dr who", "better") == f"xray-{number - 1}"
    for now, former in ((3, 2), (2, 1)):
        assert versions.before(connection, None) == versions.before(connection, "xray") == (f"xray-{now}", f"xray-{former}")
        versions.rollback(connection, f"xray-{now}", f"xray-{former}", [f"a-{former}"], "dr no", "worse")
    with pytest.raises(ModelError, match="no earlier champion"):
        versions.before(connection, "xray")
    versions.promote(connection, "xray-4", ["a-4"], "dr who", "better")
    assert versions.before(connection, None) == ("xray-4", "xray-1")
    assert promotions(connection)[-2:] == [("rollback", "xray-2", "xray-1", "dr no"), ("promote", "xray-1", "xray-4", "dr who")]
    why = connection.execute(text("SELECT promoted_by, why FROM model_versions WHERE version = 'xray-4'")).one()
    assert tuple(why) == ("dr who", "better")


def test_what_the_gate_refused_judges_only_if_that_is_said(connection: Connection) -> None:
    versions.enter(connection, [*ensemble(1, shipped=True), *ensemble(2)])
    run_id = str(runs.enter(connection, "hand"))
    clause = dict.fromkeys(("source", "champion", "challenger", "difference", "low", "high", "images", "groups"))
    clauses = ({**clause, "name": "macro_auroc", "outcome": "failed"},)
    gates.enter(connection, run_id, Gate("xray", "xray-1", "xray-2", "refused", "macro_auroc: failed", 1, clauses))
    with pytest.raises(ModelError, match=r"refused `xray-2`: macro_auroc: failed.*--although-refused"):
        versions.promote(connection, "xray-2", ["a-2"], "dr who", "better")
    assert versions.promote(connection, "xray-2", ["a-2"], "dr who", "better", although_refused=True) == "xray-1"
    versions.rollback(connection, "xray-2", "xray-1", ["a-1"], "dr who", "worse")
    with pytest.raises(ModelError, match="although-refused"):  # its state is another by now, its ruling is not
        versions.check_promotable(connection, "xray-2")


def test_a_version_is_put_back_until_somebody_promotes_it_anew(connection: Connection) -> None:
    versions.enter(connection, [*ensemble(1, shipped=True), *ensemble(2)])
    assert versions.put_back(connection, "xray-2") is None
    versions.promote(connection, "xray-2", ["a-2"], "dr who", "better")
    versions.rollback(connection, "xray-2", "xray-1", ["a-1"], "dr no", "worse")
    assert versions.put_back(connection, "xray-2") == "dr no: worse"
    assert versions.put_back(connection, "xray-1") is None
    versions.promote(connection, "xray-2", ["a-2"], "dr who", "better all the same")
    assert versions.put_back(connection, "xray-2") is None


def test_a_way_back_that_another_was_quicker_than_is_refused(connection: Connection) -> None:
    versions.enter(connection, [*ensemble(1, shipped=True), *ensemble(2), *ensemble(3)])
    versions.promote(connection, "xray-2", ["a-2"], "dr who", "better")
    versions.promote(connection, "xray-3", ["a-3"], "dr who", "better")
    with pytest.raises(ModelError, match="no longer"):
        versions.rollback(connection, "xray-2", "xray-1", ["a-1"], "dr no", "worse")


def test_of_many_that_promote_at_once_each_leaves_one_champion(engine: Engine) -> None:
    with engine.begin() as connection:
        versions.enter(connection, [*ensemble(1, shipped=True), *(part for number in range(2, 10) for part in ensemble(number))])

    def promote(number: int) -> str | None:
        with engine.begin() as connection:
            return versions.promote(connection, f"xray-{number}", [f"a-{number}"], "dr who", "better")

    with ThreadPoolExecutor(8) as threads:
        before = list(threads.map(promote, range(2, 10)))
    with engine.connect() as connection:
        champion = versions.champions(connection)["xray"]
        assert {*before, champion} == {f"xray-{number}" for number in range(1, 10)}  # each was promoted over another
        assert sorted(states(connection).values()).count("champion") == 2  # the ensemble and its member
