"""Every page in a real Chromium, at three widths, light and dark, with a mouse and by touch: for everyone to use.

What is measured: axe-core's rules, the stops of the tab key, how large targets are, whether the page scrolls sideways,
what is asked of the network. A page without an example here fails.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

import pytest
from account import LIVE, NOW, Account, opened
from axe_playwright_python.sync_playwright import Axe
from browse_sample import PASSWORD
from campaign_rows import fill
from playwright.sync_api import CDPSession, Page
from served_site import chromium, installed, served
from vendor_rows import STRANGER, customer, talk

from promptsync.browse.access import Need
from promptsync.browse.pages import PAGES
from promptsync.browse.settings import BrowseSettings
from promptsync.testing import Kit

WIDTHS = (1280, 768, 400)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
MOST_STOPS = 20
EXAMPLES = (
    "/",
    "/-/contact/{person}?find=gate",
    "/-/contact/{out}",
    "/-/conversation/{conversation}",
    "/-/person/customerio/1/p2",
    "/-/person/qlara/~2B390612345678",
    "/-/people",
    "/-/people?sort=active&tag=Volunteer",
    "/-/opt-outs",
    "/-/delivery",
    "/-/sending",
    "/-/team",
    "/-/campaigns",
    "/-/campaign/6",
    "/-/campaign/6/sent",
    "/mirror",
    "/-/freshness",
    "/-/help",
    "/-/help/backup",
    "/-/help/developing",
    "/-/messages",
    "/-/broadcasts",
    "/-/broadcast/{cast}",
    "/-/broadcast/{cast}/failed",
    "/-/search",
    "/-/search?q=Saturday",
    "/-/search?q=Lima",
)
STOCK = ("/mirror/message?contact_id={person}", "/mirror/contact?_sort=phone", "/mirror/contact/{person}")
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
STOCK_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "img-src 'self'", "img-src 'self' data:"
)

_SMALL = """least => {
  const found = [];
  const linked = node => !!node.parentElement.closest("a");
  const sentence = link => {
    let block = link.parentElement;
    while (getComputedStyle(block).display === "inline") block = block.parentElement;
    const texts = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    while (texts.nextNode())
      if (!linked(texts.currentNode) && /\\p{L}\\s+\\p{L}/u.test(texts.currentNode.data)) return true;
    return false;
  };
  for (const one of document.querySelectorAll("a[href], button, input, select, textarea, summary")) {
    const {width, height, right} = (one.type === "checkbox" ? one.closest("label") : one).getBoundingClientRect();
    if (!one.checkVisibility({visibilityProperty: true}) || !width || right < 0) continue;
    if (width >= least - .5 && height >= least - .5 || one.tagName === "A" && sentence(one)) continue;
    found.push(`${width.toFixed(1)} x ${height.toFixed(1)}: ${one.outerHTML.slice(0, 120)}`);
  }
  return found.length > 5 ? [...found.slice(0, 5), `and ${found.length - 5} more`] : found;
}"""
"""Targets that are too small; but links in running text, WCAG 2.2, 2.5.8. A check box is as large as its label."""

_AT = """what => {
  const at = document.activeElement, place = document.querySelector(what) ?? document.querySelector("main");
  return place.contains(at) || !!(place.compareDocumentPosition(at) & Node.DOCUMENT_POSITION_FOLLOWING);
}"""
_CONTENT = "main :is(.pane, .scroll, .table-wrapper, table, .cards, .tiles, .empty, ul.tables)"
"""What a page is for: its conversation, its first list or numbers. Where there is none, all of it."""

_AXE = """async options => {
  const {violations} = await axe.run(document, {...options, resultTypes: ["violations"], preload: false});
  return violations.map(rule => `${rule.id}, ${rule.nodes.length} times: ${rule.nodes[0].html.slice(0, 200)}`);
}"""
_COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""The rules that ask for colours: all else is the same by day and by night."""

_SHORTEN = """() => {
  const seen = new Map();
  for (const one of document.querySelectorAll("tbody tr, main li")) {
    const parts = [one.parentElement, one, ...one.querySelectorAll("*")];
    const shape = parts.map(part => `${part.tagName}.${part.className}`).join();
    seen.set(shape, (seen.get(shape) ?? 0) + 1);
    if (seen.get(shape) > 2) one.remove();
  }
}"""
"""Leaves two entries of a list that are made alike. The time that axe-core takes goes by how much there is to see."""

_TOUCHING = """[...document.querySelectorAll("main a, main span")].filter(one => {
  const next = one.nextSibling;
  return next?.nodeType === 1 && getComputedStyle(next).display.startsWith("inline") && !next.matches(".away")
    && /[\\p{L}\\p{N}]$/u.test(one.textContent) && /^[\\p{L}\\p{N}]/u.test(next.textContent);
}).map(one => one.parentElement.textContent.slice(0, 80))"""
"""Words of two elements without a space between them, which are read as one."""

_SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Window:
    """One window, in which every page is looked at. ``said``: what the browser complained of; ``asked``: addresses."""

    page: Page
    home: str
    devices: CDPSession
    axe: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def faults(self, path: str, status: int = 200) -> list[str]:
        """What is wrong with a page, a line each, with the width and the rule."""
        self.said.clear()
        self.asked.clear()
        self._like(WIDTHS[0], "light")
        answer = self.page.goto(self.home + path)
        assert answer and answer.status == status, (path, answer and answer.status)
        found = [f"script element: {one}" for one in self.page.evaluate("[...document.scripts].map(s => s.outerHTML)")]
        policy = answer.headers["content-security-policy"]
        found += [] if policy == (STOCK_POLICY if path.startswith("/mirror/") else POLICY) else [f"policy: {policy}"]
        self.page.keyboard.press("Tab")
        if self.page.evaluate("document.activeElement.matches('.skip')"):  # but where a field has the focus
            self.page.keyboard.press("Enter")
        found += [f"{stops} tab stops to {_CONTENT}" for stops in [self.stops(_CONTENT)] if stops > MOST_STOPS]
        found += [f"browser: {one}" for one in self.said if status == 200 or "Failed to load" not in one]
        found += [f"words touch: {text}" for text in self.page.evaluate(_TOUCHING)]
        for width in WIDTHS:
            found += self._layout(width)
        self.page.evaluate(_SHORTEN)
        self.page.evaluate(self.axe)
        for width, scheme in product(WIDTHS, SCHEMES):
            found += self._rules(width, scheme)
        found += [f"asked {url}" for url in self.asked if not url.startswith((f"{self.home}/", "data:"))]
        return found

    def _rules(self, width: int, scheme: Scheme) -> Iterator[str]:
        self._like(width, scheme)
        rules = self.page.evaluate(_AXE, _COLOURS if scheme == "dark" else {})
        yield from (f"{width} px, {scheme}: {rule}" for rule in rules)

    def _layout(self, width: int) -> Iterator[str]:
        self._like(width, "light")
        for touch, least in ((False, 24), (True, 40)):
            self.devices.send("Emulation.setTouchEmulationEnabled", {"enabled": touch})
            assert self.page.evaluate("matchMedia('(pointer: coarse)').matches") is touch
            where = f"{width} px, touch" if touch else f"{width} px"
            if wide := self.page.evaluate(_SIDEWAYS):
                yield f"{where}: scrolls sideways by {wide} px"
            yield from (f"{where}: smaller than {least} px: {one}" for one in self.page.evaluate(_SMALL, least))
        self.devices.send("Emulation.setTouchEmulationEnabled", {"enabled": False})

    def stops(self, what: str) -> int:
        """How often the tab key is pressed until an element is reached."""
        presses = 0
        while presses <= 2 * MOST_STOPS and not self.page.evaluate(_AT, what):
            self.page.keyboard.press("Tab")
            presses += 1
        return presses

    def _like(self, width: int, scheme: Scheme) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)


ACCOUNTS = Account(7, seed=1, first=0), Account(8, seed=2, first=100_000)
PERSON, OPTED_OUT = (ACCOUNTS[0].tables["contact"][place]["id"] for place in (2, 0))
KEYS = {"person": PERSON, "out": OPTED_OUT, "cast": ACCOUNTS[0].tables["broadcast"][-1]["id"], "conversation": 5}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    """Two organisations, and what was posted since: the navigation is as long as it gets."""
    for kit in opened(tmp_path_factory.mktemp("account"), *ACCOUNTS):
        body = {"message": {"id": 999_999, "userType": "CUSTOMER", "body": "hi"}, "orgId": 7}
        kit.post("message/added", {**body, "interaction": {"id": 5, "customerId": PERSON}}, at=LIVE)
        with closing(sqlite3.connect(kit.config.mirror.database)) as connection, connection:
            fill(connection)
            customer(connection, "same", ACCOUNTS[0].tables["contact"][2]["phone"], email_addr="ana@example.org")
            talk(connection, "same", [STRANGER], [LIVE] * 8, 1)
        yield kit


@pytest.fixture(scope="module")
def window(account: Kit, settings: BrowseSettings) -> Iterator[Window]:
    """Somebody who may read and nothing else, logged in."""
    path = installed()
    if path is None:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse("Chromium is missing; install it: apt-get install chromium")
    own = replace(settings, database=account.config.mirror.database, port=0)
    with served(own, lambda: NOW) as home, chromium(path) as browser:
        page = browser.new_page()
        window = Window(page, home, page.context.new_cdp_session(page), Axe().axe_script)
        page.on("console", lambda message: window.said.append(message.text))
        page.on("request", lambda request: window.asked.append(request.url))
        page.goto(f"{home}/-/login")
        page.fill("#username", "sam")
        page.fill("#password", PASSWORD)
        page.click("button")
        page.wait_for_url(f"{home}/")
        yield window


def test_every_page_has_an_example() -> None:
    paths = [re.sub(r"\{\w+\}", "1", path.partition("?")[0]) for path in EXAMPLES]
    for page in PAGES:
        assert page.need is Need.MONITOR or any(re.fullmatch(page.address, path) for path in paths), page.address


@pytest.mark.parametrize("example", [*EXAMPLES, *STOCK])
def test_anyone_can_use_it(window: Window, example: str) -> None:
    assert not window.faults(example.format_map(KEYS))


@pytest.mark.parametrize("path", ["/", "/mirror"])
def test_the_content_is_few_tab_stops_away(window: Window, path: str) -> None:
    window.page.goto(window.home + path)
    assert window.stops("main") <= MOST_STOPS


def test_anyone_can_use_what_is_not_there(window: Window) -> None:
    assert not window.faults("/-/contact/999999999", 404)


def test_anyone_can_log_in(window: Window) -> None:
    cookies = window.page.context.cookies()
    window.page.context.clear_cookies()
    try:
        assert not window.faults("/-/login")
    finally:
        window.page.context.add_cookies(cookies)
