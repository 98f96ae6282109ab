import pytest

from lib.pipeline import book, publication


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """The book of the published notebooks."""
    target = tmp_path_factory.mktemp("book") / "html"
    book.build(sorted(publication.REPORT.glob("0*.ipynb")), publication.FIGURES, target)
    return target
