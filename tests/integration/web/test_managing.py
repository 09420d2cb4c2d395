"""Pages that show and change what the system does: models, queues, and what the doctor says."""

from db import jobs
from db.tables import Role
from imaging.phantoms import phantom
from jobs.kinds import READ
from lungline.presence import Presence
from tests.corpus.files import png
from tests.page_scans import put_bytes
from tests.pages import PageServer


def test_a_reader_may_change_no_champion(page: PageServer) -> None:
    client = page.user("ada")
    assert client.get("/models").status == 200
    assert client.post("/models/promote", {"version": "ct-1", "why": "I like it"}).status == 403
    assert client.post("/models/rollback", {"name": "ct", "why": "I do not like it"}).status == 403
    assert client.get("/system").status == 403
    assert 'href="/system"' not in client.get("/models").text


def test_a_change_of_champion_that_fails_says_why(page: PageServer) -> None:
    client = page.user("root", Role.ADMIN)
    unknown = client.post("/models/promote", {"version": "<b>ct-9</b>", "why": "better"})
    assert unknown.status == 422
    assert "There is no such" in unknown.text or "no ensemble" in unknown.text
    assert client.post("/models/rollback", {"name": "ct", "why": ""}).status == 422
    assert client.post("/models/rollback", {"name": "brain", "why": "better"}).status == 422


def test_queues_show_what_waits_and_who_is_ready(page: PageServer) -> None:
    waiting, running = (put_bytes(page.site, png(phantom("xray", number))) for number in range(2))
    with page.site.database.writing() as connection:
        assert jobs.claim(connection, (READ.name,), [running], "slot/boot/x", READ.lease_seconds)
    presence = Presence.take(page.site.settings.layout.run, "watch")
    presence.tell(ready=True)
    shown = page.user("ada").get("/queues").text
    presence.leave()
    cells = "".join(shown.split())
    assert '<td>scans</td><td>read</td><tdclass="number">1</td><tdclass="number">1</td>' in cells
    assert "<td>watch</td>" in cells
    assert "There is no broker" in shown
    assert waiting not in shown


def test_an_admin_pauses_a_queue_and_resumes_it(page: PageServer) -> None:
    reader, admin = page.user("ada"), page.user("root", Role.ADMIN)
    assert reader.post("/queues/pause", {"queue": "scans"}).status == 403
    for name in ("scans", "scans", "nonsense"):
        assert admin.post("/queues/pause", {"queue": name}).status == 303
    assert "Paused: <b>scans</b>" in reader.get("/queues").text
    assert admin.post("/queues/resume", {"queue": "scans"}).status == 303
    assert "Paused: <b>" not in reader.get("/queues").text
    with page.site.database.reading() as connection:
        noted = connection.exec_driver_sql("SELECT who, detail FROM audit_log WHERE action = 'queue' ORDER BY audit_id").all()
    assert [tuple(row) for row in noted] == [("root", "paused"), ("root", "resumed")]


def test_the_doctor_speaks_on_the_page(page: PageServer) -> None:
    client = page.user("root", Role.ADMIN)
    assert 'hx-get="/system/checks"' in client.get("/system").text
    checks = client.get("/system/checks").text
    assert "pseudonym key: mode 0600" in checks
    assert "The checks failed" not in checks
