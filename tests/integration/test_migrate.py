"""Migrations on real SQLite and real PostgreSQL."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from db import migrate
from db.connect import connect
from db.tables import metadata
from lungline.errors import KeyMismatchError, LedgerError, SettingsError
from lungline.settings import Settings


def test_migrations_make_the_tables_that_the_code_knows(database_url: str, tmp_path: Path) -> None:
    engine = migrate.open_database(Settings(home=tmp_path, database_url=database_url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


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


def test_sqlite_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/export {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr("lungline.filesystems._MOUNTS", mounts)
    with pytest.raises(SettingsError, match="network file system"):
        connect(f"sqlite:///{tmp_path / 'lungline.db'}")
