"""The page in a real browser, Chromium where it is on the PATH: keys, pictures, uploads, and no complaint of its own policy."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from imaging.phantoms import phantom
from lungline.findings import Modality
from tests.corpus.files import dicom, png
from tests.page_scans import judge, make_study, put_bytes
from tests.pages import PASSWORD, PageServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")


class Tab:
    """A tab of a browser in which a reader is logged in; knows what the browser complained of."""

    def __init__(self, page: Page, server: PageServer) -> None:
        self.page, self.server = page, server
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str) -> None:
        self.page.goto(f"http://127.0.0.1:{self.server.port}{path}")

    def log_in(self) -> None:
        self.open("/")
        self.page.get_by_label("Name").fill("ada")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("heading", name="Studies")).to_be_visible()


@pytest.fixture
def tab(page: PageServer) -> Iterator[Tab]:
    page.user("ada")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = Tab(browser.new_page(viewport={"width": 1280, "height": 800}), page)
        tab.log_in()
        yield tab
        browser.close()


def test_keys_move_through_the_worklist_and_open_a_study(tab: Tab) -> None:
    for key in ("aa", "bb", "cc"):
        make_study(tab.server.site, key * 8)
    tab.open("/?order=newest")
    for key in ("j", "j", "j", "k"):
        tab.page.keyboard.press(key)
    tab.page.keyboard.press("Enter")
    expect(tab.page).to_have_url(re.compile("/studies/(bb){8}$"))
    expect(tab.page.locator("svg.plot circle")).to_have_count(3)
    assert [text for text in tab.complaints if "404" not in text] == []  # its scans have no bytes


def test_the_window_of_a_ct_changes_its_picture(tab: Tab) -> None:
    scan_id = put_bytes(tab.server.site, dicom(phantom("ct", 1), "CT"))
    judge(tab.server.site, scan_id, 0.9, image_key="f" * 16)
    tab.open(f"/scans/{scan_id}")
    picture = tab.page.locator("#picture")
    expect(picture).to_have_js_property("naturalWidth", 256)
    with tab.page.expect_response(lambda response: "centre=40&width=400" in response.url) as drawn:
        tab.page.get_by_role("button", name="Mediastinum").click()
    assert drawn.value.status == 200
    expect(tab.page.locator("#window output")).to_have_text("40 / 400")
    assert tab.complaints == []


def test_a_picture_that_is_gone_is_said_in_words(tab: Tab) -> None:
    scan_id = put_bytes(tab.server.site, dicom(phantom("ct", 1), "CT"))
    judge(tab.server.site, scan_id, 0.9)
    shutil.rmtree(next(tab.server.site.settings.store.glob("*/*/scan.dcm")).parent)
    tab.open(f"/scans/{scan_id}")
    expect(tab.page.locator("#no-picture")).to_be_visible()


def test_an_upload_is_shown_from_the_inbox_to_its_verdict(tab: Tab, tmp_path: Path) -> None:
    inbox = tab.server.site.settings.inbox
    inbox.mkdir()
    data = png(phantom("xray", 5))
    file = tmp_path / "Smith John.png"
    file.write_bytes(data)
    tab.open("/upload")
    tab.page.locator("#files").set_input_files(file)
    said = tab.page.locator(".uploads .said")
    expect(said).to_have_text("in the inbox", timeout=30_000)
    assert [path.suffix for path in inbox.iterdir() if path.is_file()] == [".png"]
    scan_id = put_bytes(tab.server.site, data)
    judge(tab.server.site, scan_id, 0.95, Modality.XRAY)
    expect(said).to_contain_text("done: covid19 0.950, accepted", timeout=30_000)
    tab.page.get_by_role("link", name="Show the scan").click()
    tab.page.get_by_role("button", name="I agree: COVID-19").click()
    expect(tab.page.get_by_role("cell", name="ada")).to_be_visible()
    assert tab.complaints == []


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_screen(tab: Tab, width: int) -> None:
    make_study(tab.server.site, "aa" * 8)
    scan_id = put_bytes(tab.server.site, dicom(phantom("ct", 1), "CT"))
    judge(tab.server.site, scan_id, 0.9, device_model="W" * 64)
    tab.page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", f"/studies/{'aa' * 8}", "/scans", f"/scans/{scan_id}", "/upload", "/quarantine", "/queues", "/models", "/password"):
        tab.open(path)
        assert tab.page.evaluate("() => document.documentElement.scrollWidth") <= width, path
