"""The book is made from the published notebooks: quick, whole, without warnings and without the network."""

import re
import tomllib

import nbformat
import pytest

from lib.core import paths
from lib.pipeline import book, publication

PAGES = sorted(path.stem for path in publication.REPORT.glob("0*.ipynb"))


def test_every_chapter_and_document_has_its_page_and_sphinx_warns_of_nothing(html):
    documents = [path.stem for path in publication.REPORT.glob("*.md")]
    assert {*PAGES, *documents, "index", "references", "search"} <= {path.stem for path in html.glob("*.html")}
    assert (html / "warnings.txt").read_text() == ""


@pytest.mark.parametrize("name", ["index", *PAGES])
def test_links_and_pictures_of_a_page_are_there_without_the_network(html, name):
    page = (html / f"{name}.html").read_text()
    assert not re.findall(r'(?:src|<link[^>]*href)="https?://[^"]*', page)
    targets = {one.partition("#")[0] for one in re.findall(r'(?:src|href)="([^":]+)"', page)}
    assert [one for one in targets if one and not (html / one.partition("?")[0]).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_code_is_folded_and_pictures_have_an_alternative_text(html, name):
    page = (html / f"{name}.html").read_text()
    assert page.count("Show code") >= 5
    pictures = re.findall(r"<img[^>]*_images/[^>]*>", page)
    assert all(
        re.search(r'alt="[^"]{5,}"', one) and "_images/" + name not in re.search('alt="(.*?)"', one)[1]
        for one in pictures
    )


def test_the_first_page_holds_the_abstract_and_its_figure(html):
    results = nbformat.read(publication.REPORT / "09_results.ipynb", 4)
    shown = [
        output["data"]["text/markdown"]
        for cell in results.cells
        for output in cell.get("outputs", [])
        if "text/markdown" in output.get("data", {})
    ]
    counts = re.findall(r"\d+ claims", max(shown, key=len))
    page = (html / "index.html").read_text()
    assert counts
    assert counts[0] in page
    assert "09_paper_a.png" in page


def test_a_book_that_cannot_be_made_is_one_line_and_keeps_the_one_before(tmp_path, monkeypatch):
    (tmp_path / "report" / "book").mkdir(parents=True)
    (tmp_path / "report" / "book" / "conf.py").write_text("1 / 0")
    monkeypatch.setattr(book, "DOCUMENTS", tmp_path / "report")
    (tmp_path / "html").mkdir()
    with pytest.raises(book.BookError, match=r"^the book could not be made: .+$"):
        book.build([], tmp_path, tmp_path / "html")
    assert (tmp_path / "html").exists()


def test_a_folder_of_other_files_is_not_replaced(tmp_path, monkeypatch, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    monkeypatch.setattr("sys.argv", ["book", str(tmp_path)])
    with pytest.raises(SystemExit):
        book.main()
    assert "holds other files" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").exists()


def test_every_figure_of_the_notebooks_has_a_caption_and_the_other_way_round():
    sources = "".join(file.read_text(encoding="utf-8") for file in (paths.ROOT / "notebooks").glob("*.py"))
    saved = re.findall(r'(?:save_figure|explore)\(.*?"(\d\d_\w+)"', sources, re.DOTALL)
    captions = tomllib.loads((publication.REPORT / "book" / "captions.toml").read_text(encoding="utf-8"))
    assert sorted(captions) == sorted(saved)
