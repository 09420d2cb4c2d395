"""Pages for readers: the worklist, a study, a scan and its picture."""

import re
import shutil
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from db.worklists import PAGE_ROWS
from imaging.phantoms import phantom
from lungline.findings import Modality, Status
from tests.corpus.files import PLANTED_WORDS, Pixels, dicom, png
from tests.page_scans import judge, make_study, put_bytes
from tests.pages import Client, PageServer

HOSTILE = "<script>alert(1)</script>"


def studies_on(text: str) -> list[str]:
    return re.findall(r'href="/studies/(\w+)"', text)


def pixels(client: Client, scan_id: str, query: str = "") -> Pixels:
    answer = client.get(f"/scans/{scan_id}/picture{query}")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    decoded = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return decoded


def test_the_surest_study_comes_first_and_others_are_left_out(page: PageServer) -> None:
    for key, covid19, status in (("aa", 0.6, Status.REVIEW), ("bb", 0.97, Status.ACCEPTED), ("cc", 0.1, Status.REVIEW)):
        make_study(page.site, key * 8, covid19, status=status)
    make_study(page.site, "dd" * 8, 0.1, status=Status.ACCEPTED)
    client = page.user("ada")
    assert studies_on(client.get("/").text) == ["bb" * 8, "aa" * 8, "cc" * 8]
    assert studies_on(client.get("/?order=newest").text) == ["dd" * 8, "cc" * 8, "bb" * 8, "aa" * 8]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("finding=covid19", ["aa"]),
        ("status=review", ["bb", "aa"]),
        ("modality=ct&status=review&finding=non_covid", ["bb"]),
        ("modality=xray", []),
        ("day=2020-01-01", []),
        ("status=nonsense&day=nonsense&after=~~&finding=%00", ["bb", "aa"]),
    ],
)
def test_a_list_is_narrowed_down(page: PageServer, query: str, found: list[str]) -> None:
    make_study(page.site, "aa" * 8, 0.9)
    make_study(page.site, "bb" * 8, 0.1)
    client = page.user("ada")
    shown = client.get(f"/?order=newest&{query}")
    assert shown.status == 200
    assert studies_on(shown.text) == [name * 8 for name in found]
    assert ("No study fits" in shown.text) == (not found)


def test_a_list_of_today_has_what_came_today(page: PageServer) -> None:
    make_study(page.site, "aa" * 8)
    client = page.user("ada")
    today = datetime.now(UTC).date()
    assert studies_on(client.get(f"/?day={today}").text) == ["aa" * 8]
    assert studies_on(client.get(f"/?day={today - timedelta(days=2)}").text) == []


@pytest.mark.parametrize("order", ["first", "newest"])
def test_pages_of_a_list_show_each_study_once(page: PageServer, order: str) -> None:
    wanted = {f"{number:016x}" for number in range(PAGE_ROWS + 7)}
    for number, key in enumerate(sorted(wanted)):
        make_study(page.site, key, 0.9 if number % 8 else 0.2)
    client = page.user("ada")
    first = client.get(f"/?order={order}")
    following = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert following
    second = client.get(following[1].replace("&amp;", "&"))
    both = studies_on(first.text) + studies_on(second.text)
    assert (len(both), set(both)) == (len(wanted), wanted)
    assert 'rel="next"' not in second.text


def test_scans_are_listed_the_newest_first(page: PageServer) -> None:
    ids = make_study(page.site, "aa" * 8)
    film = put_bytes(page.site, png(phantom("xray", 1)))
    judge(page.site, film, 0.2, Modality.XRAY)
    client = page.user("ada")
    for query, found in (("", [film, *reversed(ids)]), ("?modality=xray", [film]), (f"?after=0~{ids[1]}", ids[:1])):
        assert re.findall(r'href="/scans/([\w-]+)"', client.get(f"/scans{query}").text) == found


def test_a_study_shows_its_slices_along_the_body_and_priors(page: PageServer) -> None:
    make_study(page.site, "aa" * 8)
    ids = make_study(page.site, "bb" * 8)
    client = page.user("ada")
    shown = client.get(f"/studies/{'bb' * 8}").text
    assert shown.count("<circle") == 3
    assert all(f"/scans/{scan_id}" in shown for scan_id in ids)
    assert f"/studies/{'aa' * 8}" in shown
    assert "Research use only" in shown
    assert client.get("/studies/nothing").status == 404


def test_a_scan_shows_what_each_network_says(page: PageServer) -> None:
    scan_id = put_bytes(page.site, dicom(phantom("xray", 1), "DX"))
    judge(page.site, scan_id, 0.953, Modality.XRAY, device_model=HOSTILE)
    client = page.user("ada")
    shown = client.get(f"/scans/{scan_id}").text
    assert shown.count("95.3 %") >= 3
    assert "first-1a2b3c4d" in shown
    assert HOSTILE not in shown
    assert "Research use only" in shown
    assert not any(word in shown for word in PLANTED_WORDS)


def test_a_scan_that_still_waits_has_a_page(page: PageServer) -> None:
    scan_id = put_bytes(page.site, png(phantom("xray", 1)))
    shown = page.user("ada").get(f"/scans/{scan_id}")
    assert shown.status == 200
    assert "waiting" in shown.text


@pytest.mark.parametrize("scan_id", ["nothing", "%3Cscript%3E", "..%2f..%2fetc%2fpasswd", "1" * 300])
def test_an_unknown_scan_is_said_to_be_one(page: PageServer, scan_id: str) -> None:
    client = page.user("ada")
    assert client.get(f"/scans/{scan_id}").status == 404
    assert client.get(f"/scans/{scan_id}/picture").status == 404


def test_a_ct_is_shown_in_the_window_that_is_asked_for(page: PageServer) -> None:
    units = np.repeat(np.linspace(-1000, 1000, 64, dtype=np.int16)[None], 64, axis=0) + 1024
    scan_id = put_bytes(page.site, dicom(units.astype(np.int16), "CT"))
    judge(page.site, scan_id, 0.9, image_key="f" * 16)
    client = page.user("ada")
    lungs, mediastinum = pixels(client, scan_id), pixels(client, scan_id, "?centre=40&width=400")
    soft = 33  # column of about 48 units
    assert lungs[5, soft] > 200
    assert 100 < mediastinum[5, soft] < 155
    assert pixels(client, scan_id, "?centre=nan&width=inf&side=-5").shape == (32, 32)
    assert "Mediastinum" in client.get(f"/scans/{scan_id}").text


def test_a_ct_of_known_spacing_has_a_scale_bar(page: PageServer) -> None:
    flat = np.zeros((200, 200), np.int16)
    bare = put_bytes(page.site, dicom(flat, "CT", PixelSpacing=None))
    scaled = put_bytes(page.site, dicom(flat, "CT", PixelSpacing=[1.0, 1.0], SOPInstanceUID="1.2.3"))
    client = page.user("ada")
    assert pixels(client, bare).max() < 255
    bar = np.flatnonzero(pixels(client, scaled)[188] == 255)
    assert 49 <= bar.max() - bar.min() <= 54


def test_bytes_that_are_gone_or_broken_are_said_to_be(page: PageServer) -> None:
    gone, broken = put_bytes(page.site, dicom(phantom("xray", 1))), put_bytes(page.site, b"no image " * 100)
    for path in page.site.settings.store.glob("*/*/scan.dcm"):
        if path.read_bytes() != b"no image " * 100:
            shutil.rmtree(path.parent)
    client = page.user("ada")
    assert [client.get(f"/scans/{scan_id}/picture").status for scan_id in (gone, broken)] == [404, 404]
    assert "bytes are gone" in client.get(f"/scans/{gone}/picture").text
    assert client.get(f"/scans/{gone}").status == 200
