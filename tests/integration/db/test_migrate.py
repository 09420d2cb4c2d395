"""Migrations on real SQLite and real PostgreSQL."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from db import migrate, versions, views
from db.connect import connect
from db.versions import Version
from lungline.errors import KeyMismatchError, LedgerError, SettingsError
from lungline.findings import Modality
from lungline.settings import Settings
from tests.ledger import differences, migrations, upgrade_to


def test_migrations_make_the_tables_that_the_code_knows(database_url: str, tmp_path: Path) -> None:
    engine = migrate.open_database(Settings(home=tmp_path, database_url=database_url))
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


@pytest.fixture
def first(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A database as the first migration left it, with its views, a scan that was judged, and versions."""
    settings = Settings(home=tmp_path, database_url=database_url)
    engine = connect(settings.database_url)
    with engine.begin() as connection, monkeypatch.context() as patch:
        upgrade_to(connection, "0001")
        then = {name: body for name, body in views.VIEWS.items() if name in ("scan_probabilities", "model_predictions", "model_versions")}
        patch.setattr(views, "VIEWS", then)
        views.create(connection)
        for statement in _FIRST_ROWS:
            connection.execute(text(statement))
    engine.dispose()
    return settings


_THEN = "'2026-11-01T10:00:00.000+00:00'"
_FIRST_ROWS = (
    f"INSERT INTO files (id, outcome, sha256, bytes, priority, received_at) VALUES ('f', 'accepted', 'aa', 1, 'scans', {_THEN})",
    "INSERT INTO scans (id, file_id, sha256, frame, priority, state, attempt, alone, lost_leases, deaths, timeouts, received_at)"
    f" VALUES ('s', 'f', 'aa', 1, 'scans', 'done', 1, false, 0, 0, 0, {_THEN})",
    "INSERT INTO verdicts (id, scan_id, ensemble, finding, probability, status, finished_at)"
    f" VALUES ('v', 's', 'xray-1-old', 'normal', 0.9, 'accepted', {_THEN})",
    *(
        "INSERT INTO versions (version, kind, name, modality, state, sha256, created_at, promoted_at, promoted_by, why)"
        f" VALUES ('{version}', '{kind}', '{name}', 'xray', '{state}', 'bb', {_THEN}, {_THEN}, 'lungline', 'shipped')"
        for version, kind, name, state in (
            ("xray-0-old", "ensemble", "xray", "retired"),
            ("xray-1-old", "ensemble", "xray", "champion"),
            ("m-1", "member", "m", "champion"),
        )
    ),
)


def test_a_database_of_the_first_version_keeps_what_is_in_it(first: Settings) -> None:
    engine = migrate.open_database(first)
    with engine.connect() as connection:
        assert differences(connection) == []
        assert connection.scalar(text("SELECT count(*) FROM scan_results WHERE ensemble = 'xray-1-old'")) == 1
        promoted = connection.execute(text("SELECT * FROM model_promotions")).mappings().one()
        assert (promoted["from_version"], promoted["to_version"], promoted["promoted_by"]) == (None, "xray-1-old", "lungline")
        assert str(promoted["promoted_at"])[:10] == "2026-11-01"
        assert connection.scalar(text("SELECT count(*) FROM model_quality")) == 0
        begun = connection.execute(text("SELECT * FROM audit_log")).mappings().one()
        assert (begun["action"], begun["subject"], begun["detail"]) == ("promote", "xray-1-old", "over none: shipped")
        assert connection.scalar(text("SELECT count(*) FROM scan_history WHERE reinstated_at IS NULL")) == 1
    with engine.begin() as connection:  # what shipped then gives way to what ships now
        versions.enter(connection, [Version("xray-2-new", "ensemble", "xray", Modality.XRAY, "cc", True)])
        assert versions.champions(connection) == {"xray": "xray-2-new"}
        assert versions.before(connection, "xray") == ("xray-2-new", "xray-1-old")
    engine.dispose()


def test_earlier_corrections_show_after_the_migration(database_url: str, tmp_path: Path) -> None:
    """From the schema of migration 5, with two versions of one instance judged in it."""
    settings = Settings(home=tmp_path, database_url=database_url)
    engine = connect(settings.database_url)
    with engine.begin() as connection:
        upgrade_to(connection, "0005")
        for name in ("a", "b"):
            connection.execute(
                text(
                    "INSERT INTO files (id, outcome, sha256, bytes, priority, received_at)"
                    f" VALUES ('{name}', 'accepted', '{name}', 1, 'scans', {_THEN})"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO scans (id, file_id, sha256, frame, priority, state, attempt, alone, lost_leases, deaths, timeouts, again,"
                    f" image_key, received_at)"
                    f" VALUES ('{name}', '{name}', '{name}', 1, 'scans', 'done', 1, false, 0, 0, 0, false, 'i', {_THEN})"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO verdicts (id, scan_id, ensemble, finding, probability, status, finished_at)"
                    f" VALUES ('{name}', '{name}', 'xray-1-old', 'normal', 0.9, 'accepted', {_THEN})"
                )
            )
    engine.dispose()
    engine = migrate.open_database(settings)
    with engine.connect() as connection:
        assert differences(connection) == []
        assert connection.scalars(text("SELECT scan_id FROM scan_results")).all() == ["b"]
        assert connection.scalars(text("SELECT scan_id FROM scan_history WHERE superseded_at IS NOT NULL")).all() == ["a"]
    engine.dispose()


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(migrations()).get_current_head() == migrate.HEAD


def test_processes_that_start_together_migrate_once(database_url: str, tmp_path: Path) -> None:
    code = "from db.migrate import upgrade; from lungline.settings import Settings; import sys; from pathlib import Path\n"
    code += "upgrade(Settings(home=Path(sys.argv[1]), database_url=sys.argv[2]))"
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), database_url]) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]


def test_another_key_is_refused(database_url: str, tmp_path: Path) -> None:
    migrate.upgrade(Settings(home=tmp_path, database_url=database_url, key_file=tmp_path / "one.key"))
    with pytest.raises(KeyMismatchError, match="LUNGLINE_KEY_FILE"):
        migrate.upgrade(Settings(home=tmp_path, database_url=database_url, key_file=tmp_path / "two.key"))


def test_a_newer_database_is_refused(database_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=database_url)
    engine = migrate.open_database(settings)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(LedgerError, match="newer"):
        migrate.upgrade(settings)


def test_a_database_that_is_not_there_is_said() -> None:
    with pytest.raises(LedgerError, match="LUNGLINE_DATABASE_URL"):
        migrate.upgrade(Settings(database_url="postgresql://127.0.0.1:1/nowhere"))


def test_sqlite_on_a_network_file_system_is_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/export {tmp_path} nfs4 rw 0 0\n")
    with pytest.raises(SettingsError, match="network file system"):
        connect(f"sqlite:///{tmp_path / 'lungline.db'}", mounts)
