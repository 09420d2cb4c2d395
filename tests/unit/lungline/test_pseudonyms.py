"""One key a home, for its owner's eyes; the same key gives the same pseudonyms."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lungline.errors import SettingsError
from lungline.pseudonyms import PseudonymKey


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "pseudonym.key"
    made = PseudonymKey.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["pseudonym.key"]
    before = path.read_bytes()
    assert PseudonymKey.load_or_create(path).fingerprint == made.fingerprint
    assert path.read_bytes() == before


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "pseudonym.key"
    go = tmp_path / "go"
    program = (
        "import sys, time; from pathlib import Path; from lungline.pseudonyms import PseudonymKey\n"
        "while not Path(sys.argv[2]).exists(): time.sleep(0.001)\n"
        "print(PseudonymKey.load_or_create(Path(sys.argv[1])).fingerprint)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program, str(path), str(go)], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    go.touch()
    fingerprints = {process.communicate(timeout=300)[0].strip() for process in processes}
    assert fingerprints == {PseudonymKey.load_or_create(path).fingerprint}
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.is_file()) == ["go", "pseudonym.key"]


def test_pseudonyms_are_stable_short_and_differ_by_kind() -> None:
    key = PseudonymKey(b"k" * 32)
    repeated = PseudonymKey(b"k" * 32)
    assert key.pseudonym("patient", "4711") == repeated.pseudonym("patient", "4711")
    assert len(key.pseudonym("patient", "4711")) == 16
    different = {key.pseudonym("patient", "4711"), key.pseudonym("study", "4711"), key.pseudonym("patient", "4712")}
    assert len(different) == 3


def test_another_key_changes_pseudonyms_and_fingerprint() -> None:
    first, other = PseudonymKey(b"1" * 32), PseudonymKey(b"2" * 32)
    assert first.pseudonym("patient", "4711") != other.pseudonym("patient", "4711")
    assert first.fingerprint != other.fingerprint


def test_ids_that_are_no_valid_unicode_have_a_pseudonym() -> None:
    undecodable = b"\xff4711".decode("utf-8", "surrogateescape")
    assert len(PseudonymKey(b"k" * 32).pseudonym("patient", undecodable)) == 16


@pytest.mark.parametrize("content", [b"", b"not hex at all", b"abcd\n", b"\xff\xfe" * 32], ids=["empty", "text", "short", "binary"])
def test_a_file_that_holds_no_key_is_refused_and_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pseudonym.key"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="LUNGLINE_KEY_FILE"):
        PseudonymKey.load_or_create(path)
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="LUNGLINE_KEY_FILE"):
        PseudonymKey.load_or_create(tmp_path)
