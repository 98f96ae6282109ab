"""The documents: links lead somewhere, and numbers are those of the data and of the published tables."""

import re

import pandas as pd
import pytest

from lib.core import paths
from lib.pipeline import publication

DOCUMENTS = sorted(
    one for one in (*paths.ROOT.glob("*.md"), *publication.REPORT.glob("*.md"), *publication.REPORT.glob("book/*.md"))
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(paths.ROOT)))
def test_relative_links_and_pictures_lead_somewhere(document):
    # Pages of the book lie beside the documents when it is made.
    folder = document.parent.parent if document.parent.name == "book" else document.parent
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    files = [link.partition("#")[0] for link in links if not re.match(r"https?:|mailto:|#", link)]
    assert [file for file in files if not (folder / file).exists()] == []


def _published(notebook, name):
    return pd.read_csv(publication.FIGURES / notebook / f"{name}.csv", index_col=0)


def test_the_flow_of_the_images_has_the_counts_of_the_data():
    flow = (publication.REPORT / "image_flow.svg").read_text(encoding="utf-8")
    counts = _published("01_preprocessing", "01_counts")["images"]
    parts = _published("01_preprocessing", "01_split_counts").sum()
    related = _published("07_leakage", "07_related_images")["value"].astype(int)
    folds = _published("07_leakage", "07_folds")
    groups, alone = folds["groups"].sum(), counts["all"] - related["images with relatives"]
    assert groups == related["groups of two or more"] + alone
    expected = [
        f"{counts['all']} images<",
        ", ".join(f"{counts[name]} {name}" for name in ("normal", "benign", "malignant")),
        f"{counts['benign'] + counts['malignant']} show a lesion",
        f"excluded: {counts['all'] - len(_published('01_preprocessing', '01_split'))} images",
        f"{counts['all']} images in {groups} groups",
        f"{related['groups of two or more']} groups of two or more related images: "
        f"{related['images with relatives']} images",
        f"{alone} images without a relative",
        *(f"{part if part != 'train' else 'training'}: {number} images" for part, number in parts.items()),
        *(
            f"fold {fold}: {row[['normal', 'benign', 'malignant']].sum()} images, {row.groups} groups"
            for fold, row in folds.iterrows()
        ),
    ]
    assert [text for text in expected if text not in flow] == []
