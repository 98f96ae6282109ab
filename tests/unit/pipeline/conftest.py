import shutil

import pytest

from lib.pipeline import book, publication


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """The book of the published notebooks."""
    target = tmp_path_factory.mktemp("book") / "html"
    book.build(sorted(publication.REPORT.glob("0*.ipynb")), publication.FIGURES, target)
    return target


@pytest.fixture(scope="module")  # tests of the driver end all children of this process
def browser():
    """Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
    if not (program := shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")):
        pytest.skip("no browser on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()
