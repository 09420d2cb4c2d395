"""The processes of deploy/ without `lungline up`: started by the very commands of units and containers, on one PostgreSQL and one Redis."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from imaging.phantoms import phantom, picture
from lungline.settings import PREFIX
from tests.corpus.files import dicom, png
from tests.servers import Broker, free_port
from tests.unit.deploy.reading import image_environment, own_services
from tests.waiting import wait_for

_LUNGLINE = Path(sys.executable).with_name("lungline")  # the image's entry point
_READY_SECONDS = 300.0
_STOP_SECONDS = 40.0  # as compose and the units give them


class Deployed:
    """Folders and secrets as containers see them, and the processes."""

    def __init__(self, root: Path, database_url: str, broker_url: str) -> None:
        self.root = root
        self.database_url = database_url
        self.data, self.secrets = root / "srv", root / "secrets"
        for folder in (self.data, self.secrets):
            folder.mkdir(parents=True)
        (self.secrets / "lungline_database_url").write_text(database_url + "\n")
        (self.secrets / "lungline_broker_url").write_text(broker_url + "\n")
        self.flower_port = free_port()
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, name: str) -> dict[str, str]:
        """The image's and the service's, with folders below `root`."""
        variables = {**image_environment(), **own_services()[name].get("environment", {})}
        variables = {key: f"{self.root}{value}" if value.startswith("/") else value for key, value in variables.items() if key != "PATH"}
        variables |= {"CREDENTIALS_DIRECTORY": str(self.secrets), f"{PREFIX}ENGINE": "keras"}  # to be warm sooner
        if name == "flower":  # a port that is free here, and not open to others
            variables |= {f"{PREFIX}FLOWER_PORT": str(self.flower_port), f"{PREFIX}FLOWER_ADDRESS": "127.0.0.1"}
        return {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)} | variables

    def start(self, name: str) -> None:
        command = [_LUNGLINE, *own_services()[name]["command"]]
        with (self.root / f"{name}.log").open("ab") as output:
            self.running[name] = subprocess.Popen(
                command, env=self.environment(name), cwd=self.root, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def is_healthy(self, name: str) -> bool:
        """What the service's health check says."""
        assert self.running[name].poll() is None, (self.root / f"{name}.log").read_text()
        _, _, *arguments = own_services()[name]["healthcheck"]["test"]
        result = subprocess.run([_LUNGLINE, *arguments], env=self.environment(name), capture_output=True, timeout=300, check=False)
        return result.returncode == 0

    def drop(self, name: str, data: bytes) -> None:
        path = self.data / "lungline" / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def verdicts(self) -> int:
        engine = create_engine(self.database_url)
        try:
            with engine.connect() as connection:
                return int(connection.scalar(text("SELECT count(*) FROM scan_results")) or 0)
        finally:
            engine.dispose()

    def stop(self) -> dict[str, int]:
        """SIGTERM to all at once, as a service manager does; their exit statuses."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(_STOP_SECONDS) for name, process in self.running.items()}


@pytest.fixture
def deployed(tmp_path: Path, postgres_url: str, fresh_broker: Broker) -> Iterator[Deployed]:
    deployed = Deployed(tmp_path / "host", postgres_url, fresh_broker.url)
    yield deployed
    for process in deployed.running.values():
        process.kill()
        process.wait(10)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_processes_one_postgresql_one_redis(deployed: Deployed) -> None:
    for name in own_services():  # all at once, on an empty database
        deployed.start(name)
    for name in own_services():
        wait_for(partial(deployed.is_healthy, name), f"{name} is healthy", _READY_SECONDS)
    deployed.drop("xray/film.png", png(picture("xray", 1)))
    deployed.drop("stat/slice.dcm", dicom(phantom("ct", 1), "CT"))
    wait_for(lambda: deployed.verdicts() == 2, "both verdicts", 120)
    deployed.running["inference-0"].kill()
    deployed.running["inference-0"].wait(10)
    deployed.drop("xray/another.png", png(picture("xray", 2)))
    deployed.start("inference-0")  # as a service manager does
    wait_for(lambda: deployed.verdicts() == 3, "the third verdict", _READY_SECONDS)
    assert deployed.stop() == dict.fromkeys(own_services(), 0)
