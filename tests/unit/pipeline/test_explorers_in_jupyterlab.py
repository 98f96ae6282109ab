"""JupyterLab in a real browser: the explorers of notebooks 03 and 06 answer when something is chosen or typed."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from lib.core import paths, run

SLOW = 120_000  # milliseconds, on a machine that does other things as well
NEEDED = re.compile(r'^profile = "smoke"| = start\("|data = plan\.source\.open\(\)|explorers\.explore\(')
PICTURES = "[...document.querySelectorAll('.widget-output img')].map(one => one.src)"


def _notebook():
    """The cells of both notebooks that the explorers need, from published results."""
    cells = [cell for name in ("03_classifier", "06_nas") for cell in nbformat.read(_source(name), 4).cells]
    chosen = [cell.source for cell in cells if cell.cell_type == "code" and NEEDED.search(cell.source)]
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    made.cells = [nbformat.v4.new_code_cell(source.replace('"smoke"', '"lite"')) for source in chosen]
    return made


def _source(name):
    return paths.ROOT / "notebooks" / f"{name}.ipynb"


@pytest.fixture
def lab(tmp_path):
    """The notebook's address in a JupyterLab of its own, without data: phantoms stand in for images."""
    nbformat.write(_notebook(), tmp_path / "explorers.ipynb")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    own = {"PYTHONPATH": paths.ROOT, "PAPER_DATA": tmp_path / "none", "PAPER_ARTIFACTS": tmp_path / "artifacts"}
    own |= {name: tmp_path / name for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    environment = {name: value for name, value in os.environ.items() if name != run.FIGURES}
    options = [f"--port={port}", f"--ServerApp.root_dir={tmp_path}", "--IdentityProvider.token=", "--no-browser"]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--allow-root", *options],
            env=environment | {name: str(value) for name, value in own.items()},
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/api")
            yield f"http://127.0.0.1:{port}/lab/tree/explorers.ipynb"
        finally:
            server.terminate()  # its kernels end with it
            server.wait(60)


def _wait_for(address):
    for _ in range(600):
        try:
            return urllib.request.urlopen(address, timeout=10).close()
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(address)


def test_both_explorers_redraw_what_is_chosen_and_explain_a_mistyped_text(browser, lab):
    page = browser.new_page(viewport={"width": 1280, "height": 3000})
    page.set_default_timeout(SLOW)
    page.goto(lab)
    page.get_by_text("| Idle").wait_for()  # the kernel
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.wait_for_function(f"{PICTURES}.length == 2")

    before = page.evaluate(PICTURES)
    page.locator(".widget-dropdown select").nth(1).select_option("none")  # the mask
    page.wait_for_function(f"one => {PICTURES}.length == 2 && {PICTURES}[0] != one", arg=before[0])

    text = page.locator(".widget-text input")
    text.fill("C(64,3) P(2,2 F() FC(10)")
    text.press("Enter")
    page.get_by_text(re.compile("This is no network: .*, at character 9")).wait_for()
    assert len(page.evaluate(PICTURES)) == 1
    text.fill("C(8,3) P(2,2) F() FC(10)")
    text.press("Enter")
    page.wait_for_function(f"one => {PICTURES}.length == 2 && {PICTURES}[1] != one", arg=before[1])
    page.close()
