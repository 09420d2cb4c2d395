"""What `lungline doctor` finds: every check is made, whatever another finds."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import runs
from db.migrate import open_database
from db.tables import RunOutcome
from lungline.errors import SettingsError
from lungline.presence import Presence
from lungline.settings import Settings, load
from operations.doctor import installation, machine, receiving, retraining
from operations.doctor.examine import Check, Diagnosis, examine
from tests.ledger import claim_run
from tests.servers import free_port


def wrong(check: Check) -> str:
    """What the one check finds wrong."""
    (diagnosis,) = (found for found in examine(load(), [check]) if not found.is_right)
    return diagnosis.sentence


def test_a_check_that_breaks_does_not_end_the_others() -> None:
    def check_nonsense(_: Settings) -> Iterator[str]:
        yield "half of it is right"
        raise RuntimeError("planted-secret")

    def check_more(_: Settings) -> Iterator[str]:
        yield "all right"

    assert list(examine(load(), [check_nonsense, check_more])) == [
        Diagnosis(True, "half of it is right"),
        Diagnosis(False, "the check of nonsense failed unexpectedly (RuntimeError)"),
        Diagnosis(True, "all right"),
    ]


def test_an_error_of_ours_is_said_in_its_own_words() -> None:
    def check_nonsense(_: Settings) -> Iterator[str]:
        raise SettingsError("LUNGLINE_NONSENSE makes no sense.")
        yield

    assert wrong(check_nonsense) == "LUNGLINE_NONSENSE makes no sense."


def test_a_tmpdir_that_is_no_folder_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # Python looks once

    assert "TMPDIR is not a folder that this user can write to" in wrong(machine.check_temporary)


def test_a_slip_of_the_pen_in_the_environment_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BATCHMAX", "16")

    assert wrong(machine.check_environment).startswith("LUNGLINE_BATCHMAX: there is no such setting")


@pytest.mark.parametrize("name", ["DEVICES", "TRAINING_DEVICE"])
def test_a_gpu_that_is_not_there_is_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LUNGLINE_{name}", "99")

    assert f"LUNGLINE_{name} names GPU 99, but TensorFlow does not see that GPU" in wrong(machine.check_devices)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["up", "flower"], "redis, watch, inference-0"),
        (["watch", "flower"], "watch"),  # on a host whose service manager starts these two
    ],
)
def test_a_process_that_does_not_get_ready_is_wrong(names: list[str], missing: str) -> None:
    held = [Presence.take(load().layout.run, name) for name in names]
    held[1].tell(ready=True)

    said = wrong(installation.check_processes)

    for presence in held:
        presence.leave()
    assert f"not ready: {missing}" in said


@pytest.mark.parametrize(
    ("check", "name", "value", "expected"),
    [
        (retraining.check_recipes, "RETRAIN_RECIPES", "xray-cnn,nonsense", "No recipe is named `nonsense`"),
        (retraining.check_recipes, "RETRAIN_RECIPES", "admission-cnn", "has no gate"),
        (retraining.check_training_data, "TRAINING_DATA", "{}/none", "has no manifest.csv"),
        (retraining.check_weights, "WEIGHTS_DIR", "{}/none", "is not a folder"),
        (retraining.check_weights, "WEIGHTS_DIR", "{}/file", "is not a folder"),
    ],
)
def test_what_no_retraining_can_begin_with_is_wrong(
    check: Check, name: str, value: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(f"LUNGLINE_{name}", value.format(tmp_path))

    said = wrong(check)

    assert f"LUNGLINE_{name}" in said
    assert expected in said


def test_reports_needs_of_a_retraining_and_the_last_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest.csv").touch()
    for name, value in (("RETRAIN_RECIPES", "ct-cnn, xray-cnn"), ("TRAINING_DATA", str(tmp_path)), ("WEIGHTS_DIR", str(tmp_path))):
        monkeypatch.setenv(f"LUNGLINE_{name}", value)
    with open_database(load()).begin() as connection:
        claim = claim_run(connection, runs.enter(connection, "hand") or "", "slot/boot/a")
        assert claim
        runs.finish(connection, claim, RunOutcome.FAILED, "The disk is full.")

    found = list(examine(load(), [retraining.check_recipes, retraining.check_training_data, retraining.check_last_run]))

    assert [diagnosis.sentence for diagnosis in found] == [
        "retraining: with ct-cnn, xray-cnn",
        "LUNGLINE_TRAINING_DATA: has a manifest.csv",
        "last training run: failed: The disk is full. See docs/retraining.md",
    ]
    assert all(diagnosis.is_right for diagnosis in found)


def test_a_receiver_that_is_off_is_right() -> None:
    assert list(examine(load(), [receiving.check_receiver])) == [Diagnosis(True, "receiver: off (LUNGLINE_DICOM_PORT is not set)")]


def test_a_receiver_that_can_start_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DICOM_PORT", str(free_port()))
    monkeypatch.setenv("LUNGLINE_DICOM_PEERS", "PACS, CT_1@10.1.2.3")

    found = list(examine(load(), [receiving.check_receiver]))
    assert all(diagnosis.is_right for diagnosis in found), found
    assert "2 senders" in found[-1].sentence


def test_a_port_that_another_program_has_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("LUNGLINE_DICOM_PORT", str(other.getsockname()[1]))
        assert "set LUNGLINE_DICOM_PORT to another one" in wrong(receiving.check_receiver)
        held = Presence.take(load().layout.run, "receive")
        assert all(found.is_right for found in examine(load(), [receiving.check_receiver]))  # it is ours
        held.leave()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("ADDRESS", "192.0.2.1", "LUNGLINE_DICOM_ADDRESS is not an address of this machine"),
        ("PEERS", "PACS,CT@nowhere.example", "Entry 2 of LUNGLINE_DICOM_PEERS"),
        ("PEERS", "A_TITLE_THAT_IS_TOO_LONG", "Entry 1 of LUNGLINE_DICOM_PEERS"),
        ("CERTIFICATE", "/nowhere.pem", "LUNGLINE_DICOM_CERTIFICATE is not a file that this user can read"),
        ("CERTIFICATE", __file__, "not a PEM file"),
        ("CA", __file__, "LUNGLINE_DICOM_CA without LUNGLINE_DICOM_CERTIFICATE"),
    ],
)
def test_a_receiver_that_could_not_work_is_wrong(setting: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DICOM_PORT", str(free_port()))
    monkeypatch.setenv(f"LUNGLINE_DICOM_{setting}", value)

    assert said in wrong(receiving.check_receiver)
