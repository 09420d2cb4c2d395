"""Pages by which users act: upload, label, release from quarantine."""

import re
import socket
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from db import jobs
from db.scans import quarantine_scan
from db.tables import Role
from db.tables import quarantine as quarantine_rows
from imaging.phantoms import phantom
from jobs.kinds import READ
from lungline.findings import Modality
from lungline.reasons import Reason
from operations.quarantine import list_quarantined
from tests.corpus.files import dicom, png
from tests.page_scans import judge, put_bytes
from tests.pages import Client, PageServer
from tests.waiting import wait_for

FILE = png(phantom("xray", 3))


@pytest.fixture
def inbox(page: PageServer) -> Path:
    page.site.settings.inbox.mkdir()
    return page.site.settings.inbox


def files_in(inbox: Path) -> list[Path]:
    return [path for path in inbox.rglob("*") if path.is_file()]


def upload(client: Client, data: bytes, query: str = "", token: str | None = None) -> int:
    return client.send("POST", f"/upload{query}", data, {"X-Form-Token": client.token if token is None else token}).status


def audit_of(page: PageServer, action: str) -> list[tuple[str, str]]:
    with page.site.database.reading() as connection:
        rows = connection.exec_driver_sql(f"SELECT who, detail FROM audit_log WHERE action = '{action}' ORDER BY at")
        return [(row.who, row.detail) for row in rows]


def test_an_upload_lies_in_the_inbox_under_a_new_name(page: PageServer, inbox: Path) -> None:
    client = page.user("ada")
    assert upload(client, FILE, "?name=Smith%20John.PNG") == 200
    assert upload(client, FILE, "?name=..%2F..%2Fevil.sh&urgent=1") == 200
    names = sorted(path.relative_to(inbox).as_posix() for path in files_in(inbox))
    assert [re.sub(r"upload-[0-9a-f-]{36}", "upload-ID", name) for name in names] == ["stat/upload-ID", "upload-ID.png"]
    assert all(path.read_bytes() == FILE for path in files_in(inbox))
    assert audit_of(page, "upload") == [("ada", f"uploaded a file of {len(FILE)} bytes")] * 2


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_an_upload_without_the_forms_token_leaves_nothing(page: PageServer, inbox: Path, token: str) -> None:
    assert upload(page.user("ada"), FILE, token=token) == 403
    assert upload(page.client(), FILE) == 401
    assert files_in(inbox) == []


def test_an_upload_that_is_cut_off_leaves_nothing(page: PageServer, inbox: Path) -> None:
    client = page.user("ada")
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    head = f"POST /upload HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\nX-Form-Token: {client.token}\r\nContent-Length: 5000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", page.port)) as sender:
        sender.sendall(head.encode() + b"x" * 2_000_000)
        wait_for(lambda: files_in(inbox))
    wait_for(lambda: not files_in(inbox))
    assert audit_of(page, "upload") == []


def test_a_file_that_is_too_large_is_refused_while_it_comes(page: PageServer, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.upload.FILE_BYTES_MAX", 1000)
    assert upload(page.user("ada"), FILE) == 413
    assert files_in(inbox) == []


def test_an_inbox_that_cannot_be_written_is_said(page: PageServer) -> None:
    page.site.settings.inbox.write_bytes(b"a file, no folder")
    client = page.user("ada")
    answer = client.send("POST", "/upload", FILE, {"X-Form-Token": client.token})
    assert answer.status == 507
    assert "LUNGLINE_INBOX" in answer.text
    assert str(page.site.settings.home) not in answer.text


def test_an_upload_is_followed_to_its_verdict(page: PageServer, inbox: Path) -> None:
    client = page.user("ada")
    outcome = client.send("POST", "/upload", FILE, {"X-Form-Token": client.token}).text
    place = re.search(r'"outcome":"([^"]+)"', outcome)
    assert place
    assert '"outcome":"dropped"' in client.get(place[1]).text
    scan_id = put_bytes(page.site, FILE)
    assert '"outcome":"waiting"' in client.get(place[1]).text
    judge(page.site, scan_id, 0.9, Modality.XRAY)
    done = client.get(place[1]).text
    assert '"outcome":"done"' in done
    assert f"/scans/{scan_id}" in done
    assert client.get("/upload/nothing?since=x").status == 400


def test_two_readers_label_one_scan_and_both_stay(page: PageServer) -> None:
    scan_id = put_bytes(page.site, dicom(phantom("ct", 1), "CT"))
    judge(page.site, scan_id, 0.9)
    readers = [page.user("ada"), page.user("grace")]
    answers = []
    threads = [
        threading.Thread(target=lambda c=client, said=said: answers.append(c.post(f"/scans/{scan_id}/label", {"label": said}).status))
        for client, said in zip(readers, ("covid19", "normal"), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [303, 303]
    shown = readers[0].get(f"/scans/{scan_id}").text
    assert "Readers do not agree about this scan" in shown
    assert sorted(audit_of(page, "labels")) == [
        ("ada", "labelled a scan covid19 on the page"),
        ("grace", "labelled a scan normal on the page"),
    ]


@pytest.mark.parametrize("label", ["", "healthy-ish", "<script>", "pneumonia\0"])
def test_a_label_that_the_modality_lacks_is_not_taken(page: PageServer, label: str) -> None:
    scan_id = put_bytes(page.site, dicom(phantom("ct", 1), "CT"))
    client = page.user("ada")
    assert client.post(f"/scans/{scan_id}/label", {"label": "covid19"}).status == 422  # not read yet
    judge(page.site, scan_id, 0.9)
    if label != "pneumonia\0":  # which means the same without what no database keeps
        assert client.post(f"/scans/{scan_id}/label", {"label": label}).status == 422
    assert client.post("/scans/nothing/label", {"label": "covid19"}).status == 422
    assert audit_of(page, "labels") == []


def turn_away(page: PageServer) -> None:
    """A scan that could not be read."""
    scan_id = put_bytes(page.site, b"no image")
    with page.site.database.writing() as connection:
        jobs.finish(connection, jobs.claim(connection, (READ.name,), [scan_id], "slot/boot/x", READ.lease_seconds)[scan_id])
        quarantine_scan(connection, scan_id, Reason.NOT_AN_IMAGE, Reason.NOT_AN_IMAGE.sentence)


def test_an_admin_releases_what_a_reader_may_only_see(page: PageServer) -> None:
    turn_away(page)
    reader, admin = page.user("ada"), page.user("root", Role.ADMIN)
    assert "not DICOM, PNG or JPEG" in reader.get("/quarantine").text
    with page.site.database.reading() as connection:
        quarantine_id = str(connection.scalar(select(quarantine_rows.c.id)))
    assert 'name="quarantine_id"' not in reader.get("/quarantine").text
    assert reader.post("/quarantine", {"quarantine_id": quarantine_id}).status == 403
    assert len(list_quarantined(page.site.settings)) == 1
    assert quarantine_id in admin.get("/quarantine").text
    assert admin.post("/quarantine", {"quarantine_id": quarantine_id}).status == 303
    assert list_quarantined(page.site.settings) == []
    assert audit_of(page, "release") == [("root", "1 released from quarantine")]
    assert admin.post("/quarantine", {"quarantine_id": quarantine_id}).status == 409
