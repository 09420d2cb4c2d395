"""The systemd units start commands that exist, with settings that exist, as a user that exists, and may write where they must."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from lungline.processes import own_processes
from lungline.settings import PREFIX, Settings, load
from tests.unit.deploy.reading import COMMON, PROGRAM, UNITS, SystemdUnit, arguments, compose, every_process, own_services, services, unit

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")


def test_each_process_of_up_has_a_unit_and_a_service() -> None:
    wanted = {" ".join(command) for command in every_process().values()}
    assert {" ".join(arguments(service)) for service in services()} == wanted
    assert {" ".join(service["command"]) for service in own_services().values()} == wanted
    assert set(own_services()) == set(every_process())


def test_what_needs_a_setting_runs_only_if_it_is_asked_for() -> None:
    optional = set(every_process()) - set(own_processes(load()))
    assert optional == {"receive", "ask", "deliver"}
    assert {name: service["profiles"] for name, service in own_services().items() if "profiles" in service} == {
        name: [name] for name in optional
    }


@pytest.mark.parametrize("service", services(), ids=lambda service: service.name)
def test_a_unit_starts_a_command_of_ours(service: SystemdUnit) -> None:
    said = CliRunner().invoke(app, [*arguments(service), "--help"])
    assert said.exit_code == 0, said.output
    assert "COMMAND" not in said.output  # one that does something, rather than a group


def test_the_target_holds_them_all() -> None:
    assert {service.value_of("WantedBy") for service in services()} == {"lungline.target"}
    assert unit(COMMON).value_of("PartOf") == "lungline.target"


def test_what_they_set_are_settings() -> None:
    lines = [*(UNITS / "lungline.env").read_text().splitlines(), *unit(COMMON).values["Environment"]]
    names = [line.lstrip("#").partition("=")[0] for line in lines if line.lstrip("#").startswith(PREFIX)]
    credentials = [line.partition(":")[0].upper() for line in unit(COMMON).values["LoadCredential"]]
    assert names
    assert {"LUNGLINE_DATABASE_URL", "LUNGLINE_BROKER_URL"} == set(credentials)
    assert [name for name in names + credentials if name.removeprefix(PREFIX).lower() not in Settings.model_fields] == []


def test_commands_by_hand_see_what_the_units_see() -> None:
    common, script = unit(COMMON), (UNITS / "lungline").read_text()
    for key in ("Environment", "EnvironmentFile", "LoadCredential"):
        assert re.findall(rf"--property={key}=(\S+)", script) == common.values[key]
    assert (
        f"--uid={common.value_of('User')} --gid={common.value_of('Group')} --working-directory={common.value_of('WorkingDirectory')} "
        in script
    )
    assert f' {PROGRAM} "$@"' in script


def test_user_folders_and_rights_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    common = unit(COMMON)
    _, user, _, _, home = (UNITS / "lungline.sysusers.conf").read_text().splitlines()[-1].replace('"', "").split()
    assert common.value_of("User") == common.value_of("Group") == user
    assert common.value_of("Environment") == f"LUNGLINE_HOME={home}"
    assert home == f"/var/lib/{common.value_of('StateDirectory')}"
    for name, values in unit(UNITS / "lungline.env").values.items():
        if name.startswith(PREFIX):
            monkeypatch.setenv(name, values[0])
    settings = load()
    made = {line.split()[1]: line.split()[2:4] for line in (UNITS / "lungline.tmpfiles.conf").read_text().splitlines()[1:]}
    assert made[str(settings.inbox)] == ["0755", user]
    assert made[str(settings.store)] == ["0700", user]
    assert Path(common.value_of("ReadWritePaths")) in settings.inbox.parents  # one mount: files are moved, not copied
    assert Path(common.value_of("ReadWritePaths")) in settings.store.parents
    for key in ("Wants", "After"):  # mounts come first
        units = " ".join(common.values[key]).split()
        assert {_mount(settings.inbox), _mount(settings.store), _mount(settings.store.parent)} <= set(units)


def _mount(folder: Path) -> str:
    return "-".join(folder.parts[1:]) + ".mount"


def test_training_comes_behind_everything_else() -> None:
    training = unit(UNITS / "lungline-training.service")
    assert (training.value_of("Nice"), training.value_of("IOSchedulingClass")) == ("19", "idle")
    assert int(training.value_of("CPUWeight")) < 100  # what the others have
    assert compose()["services"]["training"]["cpu_shares"] < 1024


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with the program of this environment in place of that of /opt/lungline."""
    for path in [*UNITS.glob("*.service"), UNITS / "lungline.target"]:
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, str(Path(sys.executable).with_name("lungline"))))
    shutil.copytree(COMMON.parent, tmp_path / COMMON.parent.name)
    return tmp_path


def analyze(folder: Path, *what: str) -> subprocess.CompletedProcess[str]:
    environment = {"SYSTEMD_UNIT_PATH": f"{folder}:"}  # the colon: and systemd's own
    return subprocess.run(["systemd-analyze", *what], env=environment, capture_output=True, text=True, timeout=300, check=False)


@needs_systemd
def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    names = [service.name.replace("@.", "@0.") for service in services()]
    said = analyze(installed, "verify", "--man=no", *(str(installed / name) for name in [*names, "lungline.target"]))
    assert (said.returncode, said.stderr) == (0, "")
    (installed / COMMON.parent.name / "slip.conf").write_text("[Service]\nNoNewPrivilegs=yes\n")
    assert "NoNewPrivilegs" in analyze(installed, "verify", "--man=no", str(installed / names[0])).stderr


@needs_systemd
def test_what_the_page_enables_starts_with_the_target(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (page,) = re.findall(r"^systemctl (enable .*)$", (UNITS.parents[1] / "docs" / "deploy.md").read_text(), flags=re.MULTILINE)
    host = tmp_path_factory.mktemp("host")
    shutil.copytree(installed, host / "etc" / "systemd" / "system")
    subprocess.run(["systemctl", f"--root={host}", *page.split()], check=True, capture_output=True, timeout=300)
    wanted = {path.name for path in (host / "etc" / "systemd" / "system" / "lungline.target.wants").iterdir()}
    by_default = {" ".join(command) for command in own_processes(load()).values()}
    assert wanted == {service.name.replace("@.", "@0.") for service in services() if " ".join(arguments(service)) in by_default}
    assert (host / "etc" / "systemd" / "system" / "multi-user.target.wants" / "lungline.target").is_symlink()


@needs_systemd
@pytest.mark.parametrize("service", services(), ids=lambda service: service.name)
def test_systemd_finds_it_well_shut(service: SystemdUnit, installed: Path) -> None:
    said = analyze(installed, "security", "--offline=yes", "--threshold=20", str(installed / service.name))  # 2.0 of 10
    assert said.returncode == 0, said.stdout


@pytest.mark.skipif(importlib.util.find_spec("check_jsonschema") is None, reason="check-jsonschema is not installed")
@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_the_compose_files_follow_their_schema(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(UNITS.parent / name)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert said.returncode == 0, said.stdout
