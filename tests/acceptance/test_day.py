"""An ordinary day: scans arrive in every way, some are bad, and everyone finds what they look for."""

import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging.phantoms import phantom, picture
from tests.acceptance.drops import DroppedFile, backlog, bad, good, odd_names, put
from tests.acceptance.stack import Stack
from tests.corpus.files import PLANTED, PLANTED_WORDS, dicom, jpeg, png

SLOW = png(picture("xray", 900, side=512))


def slowly(path: Path, data: bytes) -> None:
    """A sender that pauses for longer than the quiet period."""
    with path.open("wb") as file:
        for start in range(0, len(data), len(data) // 3 + 1):
            file.write(data[start : start + len(data) // 3 + 1])
            file.flush()
            time.sleep(2.5)


@dataclass(frozen=True)
class Day:
    """What there was to see when all of the day's drops had settled; later tests drop more."""

    counts: dict[str, Any]
    results: list[dict[str, Any]]
    turned_away: dict[str, str]
    left_in_inbox: list[str]


@pytest.fixture(scope="module")
def stack(make_stack: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack after a day's drops: what lay there before the start, and everything that came while it ran."""
    stack = make_stack()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    scans = good(40)
    put(stack.inbox, scans[:5])  # before the start
    stack.up()
    sender = threading.Thread(target=slowly, args=(stack.inbox / "slow.png", SLOW))
    sender.start()
    put(stack.inbox, [*scans[5:20], *odd_names(), *bad()])
    put(elsewhere, scans[20:])
    whole = elsewhere / "whole"
    (whole / "deep" / "er").mkdir(parents=True)
    for number, drop in enumerate(scans[20:]):
        source = elsewhere / drop.path
        flat = f"{source.parent.name if source.parent != elsewhere else 'none'}"
        match number % 4:
            case 0:  # renamed from a draft, as careful senders do
                target = stack.inbox / flat / source.name
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(source, target.with_name(f"{target.name}.part"))
                target.with_name(f"{target.name}.part").rename(target)
            case 1:
                (stack.inbox / flat).mkdir(exist_ok=True)
                os.link(source, stack.inbox / flat / source.name)
            case _:  # in a folder that is moved in as a whole
                (whole / "deep" / flat).mkdir(exist_ok=True)
                source.rename(whole / "deep" / flat / source.name)
    whole.rename(stack.inbox / "whole")
    put(stack.inbox, [DroppedFile("again.png", scans[0].data), DroppedFile("a folder.png/inside.png", png(picture("ct", 901)))])
    os.mkfifo(stack.inbox / "pipe.dcm")
    (stack.inbox / "link.png").symlink_to("/etc/hostname")
    (stack.inbox / "gone.png").touch()
    (stack.inbox / "gone.png").unlink()
    for ignored in (".hidden", "draft.part", "DICOMDIR"):
        (stack.inbox / ignored).write_bytes(b"left alone")
    sender.join()
    stack.await_verdicts(len(scans) + len(odd_names()) + len(bad()) + 5, 150)  # slow, again, inside, pipe, link
    return stack


@pytest.fixture(scope="module", autouse=True)
def day(stack: Stack) -> Day:
    left = sorted(path.name for path in stack.inbox.rglob("*") if not path.is_dir())
    return Day(stack.status(), stack.query("SELECT * FROM scan_results"), stack.reasons(), left)


def test_every_drop_is_accounted_for(stack: Stack, day: Day) -> None:
    counts = day.counts
    reasons = [drop.reason for drop in bad()]
    assert counts["duplicates"] == 1
    assert counts["refused"] == reasons.count("empty") + 2
    assert counts["quarantined"] == len(reasons) - reasons.count("empty")
    assert counts["done"] == 40 + len(odd_names()) + 2
    stack.has_all_accounted()
    assert day.left_in_inbox == [".hidden", "DICOMDIR", "draft.part"]


def test_bad_files_have_their_reasons(day: Day) -> None:
    expected = {drop.path: drop.reason for drop in bad()}
    assert day.turned_away == expected | {"pipe.dcm": "not_a_regular_file", "link.png": "not_a_regular_file"}


def test_views_hold_what_analysts_need(stack: Stack, day: Day) -> None:
    for row in day.results:
        found_rows = stack.query("SELECT finding, probability FROM scan_probabilities WHERE scan_id = :id", id=row["scan_id"])
        members = stack.query("SELECT DISTINCT member_version FROM model_predictions WHERE scan_id = :id", id=row["scan_id"])
        if row["status"] == "rejected":
            assert (row["finding"], found_rows, members) == (None, [], [])
            assert row["reason"] in ("not_chest", "not_frontal")
            continue
        findings = {"xray": {"covid19", "pneumonia", "normal"}, "ct": {"covid19", "non_covid"}}[row["modality"]]
        chances = {each["finding"]: each["probability"] for each in found_rows}
        assert set(chances) == findings
        assert abs(sum(chances.values()) - 1) < 1e-6
        assert row["probability"] == max(chances.values()) == chances[row["finding"]]
        assert members
        assert row["turnaround_seconds"] > 0
    assert {row["modality"] for row in day.results} >= {"xray", "ct"}
    champions = {row["version"] for row in stack.query("SELECT version FROM model_versions WHERE state = 'champion' AND kind = 'ensemble'")}
    assert {row["ensemble"] for row in day.results} <= champions


def test_the_header_tells_the_modality_and_facts(stack: Stack, day: Day) -> None:
    rows = [row for row in day.results if row["patient_key"]]
    assert len(rows) == 20
    key = stack.run("key", PLANTED["PatientID"]).stdout.strip()
    assert {row["patient_key"] for row in rows} == {key}
    assert {(row["modality"], row["patient_sex"], row["patient_age_band"]) for row in rows} == {
        ("xray", "F", "70-79"),
        ("ct", "F", "70-79"),
    }
    assert len({row["image_key"] for row in rows}) == 20


def test_nothing_that_names_a_patient_leaves_the_store(stack: Stack) -> None:
    words = [word.encode() for word in (*PLANTED_WORDS, "ward 7", "berpr", "whole/deep", "again.png")]
    found = []
    for path in stack.home.rglob("*"):
        if path.is_file() and not path.is_relative_to(stack.store) and not path.is_relative_to(stack.inbox):
            data = path.read_bytes()
            found += [(path.name, word) for word in words if word in data]
    assert found == []
    log = b"".join(path.read_bytes() for path in (stack.home / "logs").glob("*.log"))
    assert b"taken in" in log


def test_the_store_holds_the_original_bytes_under_their_names(stack: Stack) -> None:
    for drop in (good(40)[0], odd_names()[5]):
        shown = stack.run("show", next(path for path in stack.store.rglob(Path(drop.path).name)))
        assert shown.returncode == 0, shown.stderr
        assert "Research use only" in shown.stderr
    first = good(40)[0]
    copies = [path.read_bytes() for path in stack.store.rglob("*") if path.is_file() and path.name in ("again.png", Path(first.path).name)]
    assert copies == [first.data] * 2


def flower(stack: Stack, page: str, *, with_password: bool = True) -> tuple[int, str]:
    password = (stack.home / "secrets" / "flower.password").read_text().strip()
    request = urllib.request.Request(stack.status()["flower"] + page)
    if with_password:
        request.add_header("Authorization", "Basic " + b64encode(f"admin:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_flower_shows_every_scan_as_a_task(stack: Stack, day: Day) -> None:
    status, page = flower(stack, "/api/tasks?taskname=lungline.read_scan")
    assert status == 200
    tasks = json.loads(page)
    shown: dict[str, str] = {}  # of a scan that was rung twice, both
    for task in tasks.values():
        scan_id = re.sub(r"[^0-9a-f-]", "", str(task["args"]))
        shown[scan_id] = f"{shown.get(scan_id, '')} {task['result']}"
    for row in day.results:
        assert (row["finding"] or row["status"]) in shown[row["scan_id"]]
    assert flower(stack, "/broker")[0] == 200


@pytest.mark.parametrize("page", ["/", "/tasks", "/metrics", "/healthcheck", "/api/tasks", "/api/workers", "/broker"])
def test_flower_is_closed_without_credentials(stack: Stack, page: str) -> None:
    assert flower(stack, page, with_password=False)[0] == 401


def test_secrets_are_for_their_owner_alone(stack: Stack) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in (stack.home / "secrets").iterdir()}
    assert modes
    assert set(modes.values()) == {0o600}


def test_servers_listen_on_loopback_alone(stack: Stack) -> None:
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        pytest.skip("this machine knows itself by loopback alone")
    port = int(stack.status()["flower"].rsplit(":", 1)[1])
    with socket.socket() as caller:
        caller.settimeout(3)
        assert caller.connect_ex((own, port)) != 0


def test_drop_waits_and_tells(stack: Stack, tmp_path: Path) -> None:
    fresh, text = tmp_path / "fresh.png", tmp_path / "text.png"
    fresh.write_bytes(png(picture("xray", 902)))
    text.write_bytes(b"no picture")
    result = stack.run("drop", fresh, text, "--wait", "60", "--json")
    rows = {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert result.returncode == 1
    assert (rows["fresh.png"]["outcome"], rows["text.png"]["outcome"], rows["text.png"]["detail"]) == (
        "done",
        "quarantined",
        "not_an_image",
    )
    assert stack.run("drop", fresh, "--wait", "60").returncode == 0  # again: a duplicate is no failure
    assert not (stack.inbox / "fresh.png").exists()  # it waited for this drop, not for the first


def test_drop_tells_of_what_is_too_large_to_be_read(stack: Stack, tmp_path: Path) -> None:
    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.truncate((512 << 20) + 1)
    result = stack.run("drop", large, "--wait", "80", "--json")
    row = json.loads(result.stdout.splitlines()[0])
    assert (result.returncode, row["outcome"], row["detail"]) == (1, "refused", "too_large")


def test_release_lets_a_scan_try_again(stack: Stack, tmp_path: Path) -> None:
    noise = tmp_path / "noise again.dcm"
    noise.write_bytes(b"noise" * 99)
    stack.run("drop", noise, "--wait", "60")
    (row,) = stack.query("SELECT quarantine_id FROM quarantined_files WHERE detail IS NOT NULL AND bytes = 495")
    assert stack.run("quarantine", "release", row["quarantine_id"]).returncode == 0
    repeated = "SELECT released_at FROM quarantined_files WHERE bytes = 495"
    stack.until(lambda: len(stack.query(repeated)) == 2, 60, "quarantined again")
    assert stack.run("quarantine", "release", row["quarantine_id"]).returncode == 1


def test_urgent_scans_overtake_a_backlog(stack: Stack) -> None:
    put(stack.inbox, backlog(600, seed=7))
    stack.until(lambda: stack.status()["waiting"] > 0, 60, "taking in")
    put(stack.inbox / "stat", good(4, seed=8))

    def count(which: str) -> int:
        return int(stack.query(f"SELECT count(*) AS n FROM scan_results WHERE {which}")[0]["n"])

    stack.until(lambda: count("priority = 'stat'") == 4, 120, "done with the urgent ones")
    stack.until(lambda: stack.status()["waiting"] == stack.status()["reading"] == 0, 120, "idle")
    assert count("priority = 'scans' AND finished_at > (SELECT max(finished_at) FROM scan_results WHERE priority = 'stat')") > 10
    stack.has_all_accounted()


def test_sqlite_is_whole(stack: Stack) -> None:
    connection = sqlite3.connect(stack.home / "lungline.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_what_lies_wrong_is_turned_right_and_never_accepted(stack: Stack) -> None:
    film, image = picture("xray", 77), picture("ct", 77)
    wrong = {
        "negative.png": (png(255 - film), "polarity_in_doubt"),
        "xray/negative.jpg": (jpeg(255 - film), "polarity_in_doubt"),
        "ct/negative.png": (png(255 - image), "polarity_in_doubt"),
        "header.dcm": (dicom(phantom("xray", 77), "DX", PhotometricInterpretation="MONOCHROME1"), "polarity_in_doubt"),
        "side.png": (png(np.ascontiguousarray(np.rot90(film))), "not_upright"),
        "head.png": (png(np.ascontiguousarray(np.rot90(film, 2))), "not_upright"),
    }
    right = png(film)
    put(stack.inbox, [DroppedFile(f"wrong/{name}", data) for name, (data, _) in wrong.items()])
    put(stack.inbox, [DroppedFile("right.png", right)])
    expected = {hashlib.sha256(data).hexdigest(): reason for data, reason in wrong.values()}
    wanted = {*expected, hashlib.sha256(right).hexdigest()}

    def read() -> dict[str, dict[str, Any]]:
        rows = stack.query("SELECT sha256, status, reason, finding, probability FROM scan_results")
        return {row["sha256"]: row for row in rows if row["sha256"] in wanted}

    stack.until(lambda: read().keys() == wanted, 120, "read")
    found = read()
    assert {sha256: (found[sha256]["status"], found[sha256]["reason"]) for sha256 in expected} == {
        sha256: ("review", reason) for sha256, reason in expected.items()
    }
    upright = found[hashlib.sha256(right).hexdigest()]
    assert upright["reason"] is None
    for data in (wrong["negative.png"][0], wrong["side.png"][0]):
        turned = found[hashlib.sha256(data).hexdigest()]
        assert (turned["finding"], turned["probability"]) == (upright["finding"], pytest.approx(upright["probability"], abs=1e-3))
