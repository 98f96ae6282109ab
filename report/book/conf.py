"""Sphinx settings of the book; :mod:`lib.pipeline.book` puts notebooks, documents and figures beside this file."""

import json
import re
import tomllib
from pathlib import Path

import nbformat

CAPTIONS = tomllib.loads((Path(__file__).parent / "captions.toml").read_text(encoding="utf-8"))

project = "Two breast-imaging papers, rebuilt in notebooks"
author = "the maintainers of breast-imaging-papers"
project_copyright = "text and figures CC BY 4.0, code MIT"
extensions = ["myst_nb", "sphinxcontrib.bibtex"]
root_doc = "index"

nb_execution_mode = "off"  # the outputs are those of the run
nb_code_prompt_show = "Show code"
nb_code_prompt_hide = "Hide code"
nb_output_stderr = "remove"
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "unsrt"
# A run of single notebooks has no others to list.
suppress_warnings = ["toc.empty_glob"]

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_copy_source = False
html_last_updated_fmt = None
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "navbar_persistent": [],
}
# The first mention on a page leads to the literature; elsewhere than in the book the text stays as it is.
CITED = {
    "Al-Dhabyani et al.": "aldhabyani_busi",
    "Aumente-Maestro et al.": "aumente_curated_busi",
    "Checklist for Artificial Intelligence in Medical Imaging": "tejani_claim",
    "Holm's correction": "holm_multiple",
    "MobileNetV2 encoder": "sandler_mobilenetv2",
    "Pawłowska, Karwat and Żołek": "pawlowska_letter",
    "Vallez et al.": "vallez_bus_uclm",
    "Five contraction blocks": "ronneberger_unet",
    "prediction models that use machine learning": "collins_tripod_ai",
    "same with squeeze-and-excitation": "hu_se",
    "temperature scaling": "guo_calibration",
    "temperature for each fold": "guo_calibration",
    "Greedy selection": "caruana_ensemble",
    "net benefit": "vickers_decision_curve",
    "LeCun et al.": "lecun_mnist",
    "Suckling et al.": "suckling_mias",
    "HiResCAM": "draelos_hirescam",
    "UNet++": "zhou_unetpp",
    "DenseNet201": "huang_densenet",
    "What was easy, what was hard": "pineau_reproducibility",
    "Two models of the same two stages": "mitchell_model_cards",
}


def setup(app):
    app.connect("source-read", _prepare)


def _prepare(app, name, content):
    """Give each page its last touch when Sphinx reads it: ``content`` is a list of one text."""
    if name[0].isdigit():
        notebook = nbformat.reads(content[0], 4)
        notebook.cells = [*_chapter(notebook.cells, app.env.found_docs)]
        content[0] = nbformat.writes(notebook)
    else:
        content[0] = _cite(content[0], dict(CITED))
    if name == "index" and "09_results" in app.env.found_docs:
        content[0] = content[0].replace("% results", _results(app.srcdir))


def _cite(text, left):
    """Cite what is ``left`` to be cited on this page."""
    for phrase in [one for one in left if one in text]:
        text = text.replace(phrase, f"{phrase} {{cite:p}}`{left.pop(phrase)}`", 1)
    return text


def _chapter(cells, pages):
    """The cells with the code of a passage folded below its results, other chapters linked, and captions of figures."""
    section, code, left = "", [], dict(CITED)

    def folded():
        return nbformat.v4.new_code_cell("\n\n".join(code), metadata={"tags": ["hide-input"]})

    for cell in cells:
        if cell.cell_type == "markdown":
            if code:
                yield folded()
                code = []
            if cell.source.startswith("#"):
                section = cell.source.splitlines()[0].lstrip("# ")
            cell.source = re.sub(
                r"`(?:report/)?(\w+)(?:\.md)?`",
                lambda name: f"{{doc}}`{name[1]} <{name[1]}>`" if name[1] in pages else name[0],
                _cite(cell.source, left),
            )
        else:
            code.append(cell.source)
            if not cell.outputs:
                continue
            cell.metadata = {"tags": ["remove-input"], "mystnb": _captioned(cell.source, section)}
            for output in cell.outputs:
                if page := output.get("data", {}).get("text/html"):
                    # As the ledger of claims names its sources.
                    link = r'<a href="\1.html#table-\2">\2</a>'
                    output["data"]["text/html"] = re.sub(r"\b(\d\d_[a-z]\w*)/(\d\d_\w+)", link, page)
        yield cell
    if code:
        yield folded()


def _captioned(code, section):
    """Caption and alternative text of the figure that a cell saves, or the heading above it."""
    if not (saved := re.search(r'(?:save_figure|explore)\(.*?"(\d\d_\w+)"', code, re.DOTALL)):
        return {}
    caption, sidecar = CAPTIONS.get(saved[1], section), Path(__file__).parent / "sidecars" / f"{saved[1]}.json"
    if sidecar.exists() and (data := json.loads(sidecar.read_text(encoding="utf-8")).get("of")):
        caption = f"{caption} {data}."
    return {"figure": {"caption": caption, "name": saved[1]}, "image": {"alt": caption}}


def _results(folder):
    """The abstract and the figures of the notebook of results, for the first page."""
    cells = nbformat.read(folder / "09_results.ipynb", 4).cells
    heading = next((at for at, cell in enumerate(cells) if cell.source.startswith("## Abstract")), len(cells))
    outputs = [output for cell in cells[heading + 1 : heading + 2] for output in cell.outputs]
    found = [output["data"].get("text/markdown", "") for output in outputs if "data" in output]
    for one in sorted((folder / "figures").glob("*.png")):
        caption = CAPTIONS[one.stem]
        found += [f":::{{figure}} figures/{one.name}\n:alt: {caption}\n:width: 34rem\n\n{caption}\n:::"]
    return "\n\n".join(found)
