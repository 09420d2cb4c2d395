"""Dockerfile and compose file: nothing as root, nothing writable but volumes, no port to others by default, and names that exist."""

import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from typer.testing import CliRunner

from cli.main import app
from lungline.settings import PREFIX, Settings, load
from supervisor import own_broker
from tests.servers import free_port
from tests.unit.deploy.reading import DEPLOY, REPOSITORY, compose, every_process, image_environment, instructions, own_services
from tests.waiting import wait_for

_PINNED = re.compile(r"[\w./-]+:\d+\.\d+(\.\d+)?(-[\w.]+)?")


@pytest.mark.parametrize("name", sorted(own_services()))
def test_a_service_starts_a_command_of_ours(name: str) -> None:
    said = CliRunner().invoke(app, [*own_services()[name]["command"], "--help"])
    assert said.exit_code == 0, said.output
    assert "COMMAND" not in said.output
    assert ("ENTRYPOINT", '["lungline"]') in list(instructions())


def test_each_is_asked_for_its_own_health() -> None:
    for name, service in own_services().items():
        assert service["healthcheck"]["test"] == ["CMD", "lungline", "status", name]
        assert name in every_process()


def test_what_they_set_are_settings_and_files_of_settings() -> None:
    names = [*image_environment()]
    for service in [*own_services().values(), *compose("compose.gpu.yaml")["services"].values()]:
        names += [*service.get("environment", {}), *(secret.upper() for secret in service.get("secrets", []))]
    ours = {name for name in names if name.startswith(PREFIX)}
    assert {"LUNGLINE_HOME", "LUNGLINE_DATABASE_URL", "LUNGLINE_BROKER_URL", "LUNGLINE_FLOWER_ADDRESS"} <= ours
    assert [name for name in ours if name.removeprefix(PREFIX).lower() not in Settings.model_fields] == []
    assert image_environment()["CREDENTIALS_DIRECTORY"] == "/run/secrets"  # where compose mounts them


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_a_service_is_shut(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "cap_add", "devices"} & set(service)
    assert service["mem_limit"]
    assert _PINNED.fullmatch(service["image"])
    if name in own_services():
        assert [rest for instruction, rest in instructions() if instruction == "USER"] == ["10001:10001"]
    else:
        assert service["user"].split(":")[0] not in ("0", "root")


def test_what_is_published_is_published_to_this_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    services = compose()["services"]
    assert compose()["networks"]["inside"]["internal"] is True
    assert {name for name, service in services.items() if "ports" in service} == {"flower", "web", "receive"}
    outside = {name for name, service in services.items() if service["networks"] != ["inside"]}
    assert outside == {"flower", "web", "receive", "ask", "deliver"}
    for name, value in (services["flower"]["environment"] | services["web"]["environment"]).items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert services["flower"]["ports"] == [f"127.0.0.1:{settings.flower_port}:{settings.flower_port}"]
    assert services["web"]["ports"] == [f"127.0.0.1:{settings.web_port}:{settings.web_port}"]
    assert settings.flower_address == settings.web_address == "0.0.0.0"
    port = services["receive"]["environment"]["LUNGLINE_DICOM_PORT"]
    assert services["receive"]["ports"] == [f"${{DICOM_PUBLISH:-127.0.0.1}}:{port}:{port}"]


def test_home_inbox_and_store_outlive_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in image_environment().items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, value)
    settings = load()
    for service in own_services().values():
        mounts = {Path(re.split(r":(?=/)", volume)[-1].removesuffix(":ro")) for volume in service["volumes"]}
        assert settings.home in mounts
        (shared,) = mounts & set(settings.inbox.parents)
        assert shared in settings.store.parents  # one mount: files are moved, not copied


def test_image_holds_every_package_and_nothing_else() -> None:
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    sources = {source.rstrip("/") for words in copied for source in words}
    packages = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {package.removesuffix("*") for package in packages} <= sources
    kept = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in kept
    assert {line.removeprefix("!") for line in kept if line.startswith("!")} == sources
    assert all((REPOSITORY / source).exists() for source in sources)
    assert next(instructions()) == ("ARG", "PYTHON=3.12.11")


def test_the_locks_that_can_be_asked_for_exist() -> None:
    arguments = [service["build"]["args"]["LOCK"] for service in own_services().values()]
    arguments += [service["build"]["args"]["LOCK"] for service in compose("compose.gpu.yaml")["services"].values()]
    assert set(arguments) == {"requirements.lock", "requirements-gpu.lock"}
    assert all((REPOSITORY / name).is_file() for name in arguments)
    assert set(compose("compose.gpu.yaml")["services"]) == set(own_services())  # one image for all


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What prepare.sh makes: `deploy/` with secrets, and `data/`."""
    if os.geteuid() != 0:
        pytest.skip("only root can give folders to another user")
    (tmp_path / "deploy").mkdir()
    shutil.copy(DEPLOY / "prepare.sh", tmp_path / "deploy")
    monkeypatch.setenv("DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("TRAINING_FOLDER", str(tmp_path / "training"))
    subprocess.run(["sh", tmp_path / "deploy" / "prepare.sh"], check=True, timeout=300)
    return tmp_path


def test_secrets_are_made_once_and_closed_on_the_host(prepared: Path) -> None:
    secrets = prepared / "deploy" / "secrets"
    assert {path.name for path in secrets.iterdir()} == {Path(secret["file"]).name for secret in compose()["secrets"].values()}
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    before = {path.name: path.read_text() for path in secrets.iterdir()}
    subprocess.run(["sh", prepared / "deploy" / "prepare.sh"], check=True, timeout=300)
    assert {path.name: path.read_text() for path in secrets.iterdir()} == before
    assert [path.name for path in secrets.parent.iterdir() if path.name.startswith("secrets.")] == []
    for name in ("inbox", "store"):
        assert (prepared / "data" / name).stat().st_uid == 10001
    assert stat.S_IMODE((prepared / "data" / "store").stat().st_mode) == 0o700


def test_addresses_lead_to_services_with_their_passwords(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = prepared / "deploy" / "secrets"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    settings = load()
    database, redis = urlsplit(settings.database_url), urlsplit(settings.broker_url)
    postgres = compose()["services"]["postgres"]["environment"]
    assert {database.hostname, redis.hostname} <= set(compose()["services"])
    assert (database.username, database.path) == (postgres["POSTGRES_USER"], f"/{postgres['POSTGRES_DB']}")
    assert database.password == (secrets / "postgres_password").read_text().strip()
    assert redis.password
    assert len({database.password, redis.password}) == 2


def test_the_servers_configuration_is_one(prepared: Path) -> None:
    secrets = prepared / "deploy" / "secrets"
    port = free_port()
    command = [str(own_broker.find_server()), str(secrets / "valkey.conf"), "--port", str(port), "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, cwd=prepared, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        password = urlsplit((secrets / "lungline_broker_url").read_text()).password
        with Redis(port=port, password=password, socket_timeout=5) as client:
            wait_for(lambda: _answers(client), "its answer")
            assert client.config_get("save", "appendonly", "maxmemory-policy") == {
                "save": "",
                "appendonly": "no",
                "maxmemory-policy": "noeviction",
            }
    finally:
        process.kill()
        process.wait(10)


def _answers(client: "Redis") -> bool:
    try:
        return bool(client.ping())
    except OSError:
        return False
