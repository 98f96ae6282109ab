"""Every page of the book in a real browser, as wide as a screen and as narrow as a telephone."""

import re

import pytest

from lib.pipeline import publication

SOURCES = [*publication.REPORT.glob("*.ipynb"), *publication.REPORT.glob("*.md")]
PAGES = ["index", "references", *sorted(one.stem for one in SOURCES)]
BROKEN = "[...document.images].filter(one => !one.naturalWidth).map(one => one.src)"
TOO_WIDE = """document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("main *")]
    .filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML.slice(0, 100))"""
HIDDEN = """[...document.querySelectorAll("article div")]
    .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText.slice(0, 60))"""
RAW = re.compile(r"Traceback|\w+Warning:|array\(\[|\{'[^']+':|<lib\.| object at 0x|np\.float64|ImageSet\(")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_fits_the_window_and_shows_nothing_raw(html, browser, name, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((html / f"{name}.html").as_uri())
    assert page.evaluate(BROKEN) == []
    assert page.evaluate(TOO_WIDE) == []
    assert RAW.findall(page.inner_text("main")) == []
    assert page.inner_text("h1")
    page.close()


def test_tables_keep_to_their_own_box(html, browser):
    """At the width of a telephone the widest table scrolls, and the page does not."""
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto((html / "04_ablation.html").as_uri())
    boxes = page.evaluate(
        "[...document.querySelectorAll('div[id^=table-]')].map(one => [one.scrollWidth, one.clientWidth])"
    )
    assert any(inner > outer for inner, outer in boxes)
    assert all(outer <= 390 for _, outer in boxes)
    page.close()


def test_the_search_finds_a_word_without_a_network(html, browser):
    page = browser.new_page()
    page.goto((html / "search.html").as_uri() + "?q=calibration")
    page.wait_for_selector("#search-results li", timeout=10_000)
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_no_table_is_wider_than_a_page_on_a_screen(html, browser, name):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((html / f"{name}.html").as_uri())
    assert page.evaluate(HIDDEN) == []
    page.close()
