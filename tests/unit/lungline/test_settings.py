"""Settings come from the environment, then lungline.toml, then defaults; what is wrong is said with its name."""

import os
from pathlib import Path

import pytest

from lungline.errors import SettingsError
from lungline.settings import load


def test_everything_is_derived_from_home(home: Path) -> None:
    settings = load()
    assert settings.home == home
    assert settings.inbox == home / "inbox"
    assert settings.store == home / "store"
    assert settings.key_file == home / "secrets" / "pseudonym.key"
    assert settings.database_url == f"sqlite:///{home / 'lungline.db'}"
    assert (settings.layout.run, settings.layout.logs) == (home / "run", home / "logs")


def test_loading_makes_nothing_on_disk(home: Path) -> None:
    load()
    assert list(home.iterdir()) == []


def test_home_is_a_folder_of_the_user_unless_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LUNGLINE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load().home == tmp_path / "lungline"


def test_toml_is_read_and_the_environment_overrules_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "lungline.toml").write_text('batch_max = 8\nintake = "leave"\n')
    monkeypatch.setenv("LUNGLINE_BATCH_MAX", "4")
    settings = load()
    assert settings.batch_max == 4
    assert settings.intake == "leave"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BATCH_MAX", "")
    assert load().batch_max == 32


def test_relative_and_tilde_paths_become_absolute(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LUNGLINE_INBOX", "~/from-pacs")
    monkeypatch.setenv("LUNGLINE_STORE", "kept")
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", "~/scans")
    monkeypatch.setenv("LUNGLINE_WEIGHTS_DIR", "bases")
    settings = load()
    assert settings.inbox == tmp_path / "from-pacs"
    assert settings.store == tmp_path / "kept"
    assert (settings.training_data, settings.weights_dir) == (tmp_path / "scans", tmp_path / "bases")


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("postgresql://u:p@host/name", "postgresql+psycopg://u:p@host/name"),
        ("postgres://u:p@host/name", "postgresql+psycopg://u:p@host/name"),
        ("postgresql+psycopg://u:p@host/name", "postgresql+psycopg://u:p@host/name"),
        ("sqlite:////data/lungline.db", "sqlite:////data/lungline.db"),
    ],
)
def test_a_database_address_names_our_driver(given: str, understood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DATABASE_URL", given)
    assert load().database_url == understood


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_MAX", "0"),
        ("BATCH_MAX", "many"),
        ("QUIET_SECONDS", "0"),
        ("INTAKE", "copy"),
        ("OBSERVER", "fanotify"),
        ("DEVICES", "gpu"),
        ("BROKER_URL", "amqp://host"),
        ("BROKER_URL", "redis://"),
        ("BROKER_URL", "redis://host:port/0"),
        ("FLOWER_PORT", "70000"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_setting(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LUNGLINE_{name}", value)
    with pytest.raises(SettingsError, match=f"^LUNGLINE_{name}: "):
        load()


@pytest.mark.parametrize("url", ["mysql://host/name", "postgresql+psycopg2://host/name", "sqlite://"])
def test_a_database_that_we_do_not_know_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DATABASE_URL", url)
    with pytest.raises(SettingsError, match=r"^LUNGLINE_DATABASE_URL: must begin"):
        load()


@pytest.mark.parametrize(("inbox", "store"), [("in", "in"), ("in", "in/store"), ("store/in", "store")])
def test_inbox_and_store_must_lie_apart(inbox: str, store: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_INBOX", str(home / inbox))
    monkeypatch.setenv("LUNGLINE_STORE", str(home / store))
    with pytest.raises(SettingsError, match=r"^LUNGLINE_INBOX and LUNGLINE_STORE"):
        load()


def test_a_name_in_the_toml_that_is_no_setting_is_refused(home: Path) -> None:
    (home / "lungline.toml").write_text("batchmax = 8\n")
    with pytest.raises(SettingsError, match=r"lungline\.toml: `batchmax` is not a setting\. See docs/settings\.md"):
        load()


@pytest.mark.parametrize("content", [b"batch_max =\n", b"\xff\xfe\x00"])
def test_a_toml_that_is_none_is_said_without_quoting_it(content: bytes, home: Path) -> None:
    (home / "lungline.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"lungline\.toml or a secret file cannot be read"):
        load()


def test_error_about_an_address_hides_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DATABASE_URL", "mysql://user:planted-secret@host/name")
    with pytest.raises(SettingsError) as refused:
        load()
    assert "planted-secret" not in str(refused.value)


def test_the_broker_is_the_setting_else_what_up_wrote_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="LUNGLINE_BROKER_URL"):
        _ = load().broker
    (home / "secrets").mkdir()
    (home / "secrets" / "broker.url").write_text("redis://:own@127.0.0.1:7001/0\n")
    assert load().broker == "redis://:own@127.0.0.1:7001/0"
    monkeypatch.setenv("LUNGLINE_BROKER_URL", "redis://elsewhere/0")
    assert load().broker == "redis://elsewhere/0"


def test_secret_may_come_from_a_file_of_systemd_or_a_container(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "credentials" / "lungline_broker_url"
    secret.parent.mkdir()
    secret.write_text("redis://:from-file@redis/0\n")
    (secret.parent / "of another program").write_text("not ours")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secret.parent))
    (home / "lungline.toml").write_text('broker_url = "redis://:from-toml@redis/0"\n')
    assert load().broker_url == "redis://:from-file@redis/0"
    monkeypatch.setenv("LUNGLINE_BROKER_URL", "redis://:from-environment@redis/0")
    assert load().broker_url == "redis://:from-environment@redis/0"
    monkeypatch.delenv("LUNGLINE_BROKER_URL")
    secret.write_text("http://no broker\n")
    with pytest.raises(SettingsError, match="LUNGLINE_BROKER_URL: must look like"):
        load()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "absent"))  # as where a container has no secrets
    assert load().broker_url == "redis://:from-toml@redis/0"


def test_a_secret_that_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "lungline_broker_url").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"a secret file cannot be read \(SettingsError\)"):
        load()
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    tmp_path.chmod(0o700)
    os.seteuid(65534)
    try:
        with pytest.raises(SettingsError, match=r"a secret file cannot be read \(PermissionError\)"):
            load()
    finally:
        os.seteuid(0)
