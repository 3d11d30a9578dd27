"""The pages in a browser: headless Chromium over the test snapshot. Skipped where there is no Chromium."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect, sync_playwright

from search.app import create_app
from search.settings import Settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install Debian's package chromium")

# Milliseconds that a condition may take: other work may have the machine.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
SACRAL = "cement injection for sacral fracture"
PAGES = (
    "/",
    f"/?q={SACRAL}",
    "/?q=how do I bake sourdough bread",
    "/?q=tonsilectomy&system=hcpcs&kind=any",
    "/codes/cpt/0201T",
    "/codes/icd10pcs/0QU13JZ",
    "/codes/icd10pcs/0QU",
    "/codes/hcpcs/99999",
    "/compare",
    "/compare?codes=cpt:0201T&codes=cpt:0200T&codes=icd10pcs:0QU13JZ",
    "/list",
    "/status",
)


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """Where the service listens: one process, a free port."""
    server = uvicorn.Server(uvicorn.Config(create_app(Settings(home=home)), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests; a test has a context, and so a storage, of its own."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


Opened = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Opened]:
    """Opens a page, and says at the end that none left the host, broke the policy or failed in script."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def complain(text: str) -> None:
        # Tests ask for a page that does not exist on purpose.
        if text and "404 (Not Found)" not in text:
            complaints.append(text)

    def page(path: str, **options: Any) -> Page:
        context = browser.new_context(base_url=address, **{"viewport": WIDE, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        opened = context.new_page()
        opened.on("request", lambda sent: complain("" if sent.url.startswith((address, "blob:")) else sent.url))
        opened.on("console", lambda line: complain(line.text if line.type in ("error", "warning") else ""))
        opened.on("pageerror", lambda error: complain(str(error)))
        opened.goto(path)
        return opened

    yield page
    for context in contexts:
        context.close()
    assert complaints == []


def _box(page: Page) -> Locator:
    return page.locator("#q")


def _first(page: Page) -> Locator:
    return page.locator(".hits h3 a").first


# What a theme or a width can break; the other rules look at what is the same in all of them.
LOOKS = ("color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block")


@pytest.mark.parametrize(
    ("scheme", "size", "options"),
    [
        ("light", WIDE, {"rules": {"target-size": {"enabled": True}}}),
        ("dark", PHONE, {"runOnly": {"type": "rule", "values": LOOKS}}),
    ],
)
def test_pages_are_accessible(opened: Opened, scheme: str, size: Any, options: dict[str, Any]) -> None:
    """axe finds nothing on any page: all its rules, then those of looks in the other theme at phone width.

    No page scrolls sideways.
    """
    page = opened("/", color_scheme=scheme, viewport=size)
    axe, found = Axe(), []
    for path in PAGES:
        page.goto(path)
        violations = axe.run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
        found += [(path, rule["id"], rule["nodes"][0]["html"][:150]) for rule in violations]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((path, "scrolls sideways", ""))
    assert found == []


def test_search_by_keyboard_alone(opened: Opened) -> None:
    """Slash, typing, arrows, Enter, and Escape back to the box."""
    page = opened("/status")
    page.goto("/")
    page.locator("#main").focus()
    page.keyboard.press("/")
    expect(_box(page)).to_be_focused()
    page.keyboard.type(SACRAL)
    expect(_first(page)).to_contain_text(re.compile("020[01]T"))
    page.keyboard.press("ArrowDown")
    expect(_first(page)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".hits h3 a").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(_box(page)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/codes/cpt/020[01]T$"))


def test_suggestions_are_a_combobox(opened: Opened) -> None:
    """Walked through with arrows; Escape closes, Enter takes the one that is walked to and else what is typed."""
    page = opened("/")
    _box(page).press_sequentially("sacrop")
    expect(page.locator("#suggestions [role=option]").first).to_be_visible()
    expect(_box(page)).to_have_attribute("aria-expanded", "true")
    _box(page).press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(_box(page)).to_have_value("sacrop")
    _box(page).press_sequentially("l")
    option = page.locator("#suggestions [role=option]").first
    expect(option).to_be_visible()
    _box(page).press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    expect(_box(page)).to_have_attribute("aria-activedescendant", "suggestion-0")
    text = option.get_attribute("data-text") or ""
    _box(page).press("Enter")
    expect(_box(page)).to_have_value(text)
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(page.locator(".hits li").first).to_be_visible()


def test_the_address_holds_the_state(opened: Opened) -> None:
    """Search, filter, back, forward, and the same page when it is loaded anew."""
    page = opened("/")
    _box(page).fill("knee replacement")
    _box(page).press("Enter")
    expect(page).to_have_url(re.compile(r"/\?q=knee\+replacement$"))
    page.get_by_role("complementary", name="Filters").get_by_role("link", name="CPT").click()
    expect(page).to_have_url(re.compile("system=cpt"))
    expect(page.locator(".chips")).to_contain_text("Code system: CPT")
    assert all(text == "CPT" for text in page.locator(".hits .meta > span:first-child").all_inner_texts())
    page.go_back()
    expect(page.locator(".chips")).to_have_count(0)
    expect(_box(page)).to_have_value("knee replacement")
    page.go_forward()
    expect(page.locator(".chips")).to_contain_text("Code system: CPT")
    page.reload()
    expect(page.locator(".chips")).to_contain_text("Code system: CPT")
    expect(page.locator("#filters [aria-current]").first).to_contain_text("CPT")
    page.go_back()
    page.go_back()
    expect(page.locator(".welcome")).to_be_visible()
    expect(_box(page)).to_have_value("")


def test_a_stale_answer_is_dropped(opened: Opened) -> None:
    """The first answer comes late, and does not replace the second."""
    page = opened("/")
    held: list[Route] = []
    page.route("**/results?q=knee", lambda route: held.append(route))
    with page.expect_request("**/results?q=knee"):
        _box(page).fill("knee")
    _box(page).fill(SACRAL)
    expect(_first(page)).to_contain_text(re.compile("020[01]T"))
    for route in held:
        route.fulfill(body="<p>late</p>")
    expect(page).to_have_title(f"{SACRAL} – Procedure code search")
    expect(_first(page)).to_contain_text(re.compile("020[01]T"))


def test_from_question_to_export(opened: Opened) -> None:
    """What a new user does: ask, see why, compare with the sibling, keep the choice with a note, export it."""
    page = opened("/")
    _box(page).fill("my grandmother's cracked tailbone was filled with cement")
    expect(page.locator(".hits mark").first).to_be_visible()
    hit = page.locator(".hits li", has_text="0QU13JZ")
    expect(hit).to_be_visible()
    hit.get_by_role("link").click()
    page.get_by_role("link", name=re.compile("^Compare with")).click()
    expect(page.locator("tr.differs .flag").first).to_have_text("differs")
    page.get_by_role("button", name="Keep 0QU13JZ").click()
    expect(page.get_by_role("button", name="Kept 0QU13JZ")).to_be_visible()
    expect(page.locator("#said")).to_have_text("0QU13JZ is in the working list.")
    page.get_by_role("link", name="Working list 1").click()
    page.get_by_label("Note on 0QU13JZ").fill('=HYPERLINK("x") or "cement", both')
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    rows = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert rows[0] == '"system","code","title","note","kept"'
    assert rows[1].startswith('"icd10pcs","0QU13JZ","Supplement Sacrum with Synthetic Substitute, Perc')
    assert """"'=HYPERLINK(""x"") or ""cement"", both",""" in rows[1]
    with page.expect_download() as download:
        page.get_by_role("button", name="Export JSON").click()
    (entry,) = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert (entry["system"], entry["code"]) == ("icd10pcs", "0QU13JZ")
    page.get_by_role("button", name="Remove 0QU13JZ").click()
    expect(page.locator("#kept")).to_contain_text("Nothing kept yet.")


def test_ticked_results_are_compared(opened: Opened) -> None:
    """Two to four: a fifth can't be ticked."""
    page = opened(f"/?q={SACRAL}")
    ticks = page.locator(".hits input[name=codes]")
    for place in range(4):
        ticks.nth(place).check()
    expect(ticks.nth(4)).to_be_disabled()
    ticks.nth(3).uncheck()
    expect(ticks.nth(4)).to_be_enabled()
    page.get_by_role("button", name="Compare the ticked codes").click()
    expect(page.locator("table.compare thead th")).to_have_count(3)


def test_the_theme_is_kept(opened: Opened) -> None:
    """It follows the system until one switches, and then holds on every page."""
    page = opened("/", color_scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    page.goto("/status")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.get_by_role("button", name="Light").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light


def test_recent_searches_stay_in_the_browser(opened: Opened) -> None:
    """They are offered on the empty page until one forgets them."""
    page = opened("/")
    _box(page).fill("knee replacement")
    _box(page).press("Enter")
    expect(page.locator(".hits li").first).to_be_visible()
    page.goto("/")
    expect(page.locator("#recent a")).to_have_text("knee replacement")
    page.get_by_role("button", name="Forget them").click()
    page.reload()
    expect(page.locator("#recent")).to_be_hidden()


def test_hostile_text_stays_text(opened: Opened) -> None:
    """In results, title, recent searches and the list."""
    page = opened("/")
    hostile = """<script>alert(1)</script> "knee' <img src=x onerror=alert(2)>"""
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    _box(page).fill(hostile)
    _box(page).press("Enter")
    expect(page.locator(".hits li").first).to_be_visible()
    expect(page).to_have_title(f"{hostile} – Procedure code search")
    page.reload()
    expect(_box(page)).to_have_value(hostile)
    page.goto("/")
    expect(page.locator("#recent a")).to_have_text(hostile)
    assert page.locator("main img, main script").count() == 0


def test_without_javascript(opened: Opened) -> None:
    """Search, filters, pages of results and comparison are links and forms; what needs script is not shown."""
    page = opened("/", java_script_enabled=False)
    _box(page).fill(SACRAL)
    page.get_by_role("button", name="Search").click()
    expect(_first(page)).to_contain_text(re.compile("020[01]T"))
    expect(page.get_by_role("button", name="Keep").first).to_be_hidden()
    page.get_by_role("complementary", name="Filters").get_by_role("link", name="CPT").click()
    expect(page.locator(".chips")).to_contain_text("Code system: CPT")
    _box(page).fill("knee replacement")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("system=cpt"))
    page.locator(".hits input[name=codes]").nth(0).check()
    page.locator(".hits input[name=codes]").nth(1).check()
    page.get_by_role("button", name="Compare the ticked codes").click()
    expect(page.locator("table.compare thead th")).to_have_count(2)
    page.goto("/list")
    expect(page.get_by_text("The list needs JavaScript")).to_be_visible()


def test_on_a_phone_filters_are_folded(opened: Opened) -> None:
    """Above the results, closed until one opens them."""
    page = opened(f"/?q={SACRAL}", viewport=PHONE)
    details = page.locator("#filters details")
    expect(details).not_to_have_attribute("open", "")
    page.locator("#filters summary").click()
    page.locator("#filters").get_by_role("link", name="CPT").click()
    expect(page.locator(".chips")).to_contain_text("Code system: CPT")


def test_results_come_without_a_jump(opened: Opened) -> None:
    """As one types, what stands around the results does not move."""
    page = opened(f"/?q={SACRAL}")
    expect(page.locator("#filters .facets")).to_be_visible()
    before = page.locator("#results").bounding_box()
    with page.expect_response("**/filters?**"):
        _box(page).fill("knee replacement")
    after = page.locator("#results").bounding_box()
    assert before
    assert after
    assert (before["x"], before["y"], before["width"]) == (after["x"], after["y"], after["width"])
