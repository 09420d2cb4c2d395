"""Whatever a terminal speaks and a file is called, commands say what they have to say; and a reader that goes away costs no traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.output import as_text, printable
from db import drops, migrate
from db.drops import Drop
from db.tables import Priority, scans
from lungline.ids import new_id
from lungline.layout import Store
from lungline.reasons import Reason
from lungline.settings import load
from tests.ledger import claim_scan
from workers import failed_reads

_SHA256 = "ab" * 32
_NAMES = ["Bröt → 胸部.png", "caf\udce9.png", "½ [bold]x[bold].png"]  # one is Latin-1: its bytes are no UTF-8
_ALL = """
import json, os, sys
from cli.main import main
for arguments in json.loads(sys.stdin.read()):
    sys.argv = ["lungline", *(os.fsdecode(one.encode("utf-8", "surrogateescape")) for one in arguments)]  # as the kernel would give them
    try:
        main()
    except SystemExit as ended:
        print("exit", ended.code or 0, "of", arguments[0], flush=True)
"""
_ENCODINGS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "cp1252:strict"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "utf-8"},
]


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    """A folder with files of such names, whose like were dropped already and wait in quarantine."""
    store = Store(load().store)
    engine = migrate.open_database(load())
    with engine.begin() as connection:
        drops.accept(connection, Drop(new_id(), _SHA256, 6, Priority.SCANS, None))
        claim = claim_scan(connection, str(connection.scalar(scans.select())), "slot/boot/a")
        assert claim
        failed_reads.turn_away(connection, claim, Reason.TRUNCATED, Reason.TRUNCATED.sentence)
    engine.dispose()
    folder = tmp_path / "Ordner für Schnitte"
    folder.mkdir()
    store.folder(_SHA256).mkdir(parents=True)
    for name in _NAMES:
        for place in (store.folder(_SHA256), folder):
            (place / name).write_bytes(b"pixels")
    return folder


@pytest.mark.parametrize("encoding", _ENCODINGS, ids=lambda encoding: "-".join(encoding.values()))
def test_no_command_dies_of_a_name(encoding: dict[str, str], folder: Path) -> None:
    with migrate.open_database(load()).connect() as connection:
        scan_id = str(connection.scalar(scans.select()))
    commands = [
        ["show", scan_id],
        ["show", scan_id, "--json"],
        ["quarantine", "list"],
        ["quarantine", "list", "--json"],
        ["results"],
        ["drop", str(folder)],
        ["drop", str(folder), "--json"],
        ["settings"],
        ["models", "list"],
        ["show", _NAMES[0]],
        ["--help"],
    ]
    ended = subprocess.run(
        [sys.executable, "-c", _ALL],
        input=json.dumps(commands).encode(),
        capture_output=True,
        env={**os.environ, **encoding},
        timeout=300,
        check=False,
    )
    said, complaint = ended.stdout.decode("latin-1"), ended.stderr.decode("latin-1")
    assert [line.split()[1:] for line in said.splitlines() if line.startswith("exit ")] == [
        ["1" if command == ["show", _NAMES[0]] else "0", "of", command[0]] for command in commands
    ]
    assert "Traceback" not in complaint
    assert "Unicode" not in complaint
    names = [json.loads(line)["names"] for line in said.splitlines() if line.startswith("{") and "names" in line]
    assert [sorted(some) for some in names] == [sorted(_NAMES)] * 2


@pytest.mark.parametrize("command", ["results", "settings", "status"])
def test_a_reader_that_goes_away_costs_no_traceback(command: str, folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run([sys.executable, "-m", "cli", command], stdout=writing, stderr=subprocess.PIPE, timeout=300, check=False)
    finally:
        os.close(writing)
    assert ended.returncode == 1
    assert b"Error" not in ended.stderr
    assert b"Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said() -> None:
    script = "from cli.output import plain_output\nwith plain_output(): print('a line')"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, env=environment, timeout=300, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr == b"lungline: standard output cannot be written (No space left on device).\n"


@pytest.mark.parametrize("closed", [1, 2])
def test_a_command_runs_without_its_output(closed: int, folder: Path) -> None:
    shell = f'exec "$0" -m cli results {closed}>&-'
    ended = subprocess.run(["sh", "-c", shell, sys.executable], capture_output=True, timeout=300, check=False)
    assert ended.returncode == 0
    assert b"Error" not in ended.stderr


def test_unencodable_text_is_replaced_or_escaped() -> None:
    script = "from cli.output import plain_output\nwith plain_output(): print('running · 3 …', 'é', '\\udcff')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, timeout=300, check=True)
    assert ended.stdout == b"running - 3 ... \\xe9 \\udcff\n"


def test_a_name_is_one_line_of_text() -> None:
    assert printable("né.png") == "né.png"
    assert "\n" not in printable("a\nb\x1b[31m.png")
    assert as_text(os.fsdecode(b"caf\xe9.png")) == "caf\udce9.png"
