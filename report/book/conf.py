"""Sphinx settings of the book; :mod:`lib.pipeline.book` puts notebooks and documents beside this file."""

project = "Two breast-imaging papers, rebuilt in notebooks"
author = "The maintainers of breast-imaging-papers"
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
