import pandas as pd
import pytest

from lib.core.jobs import Result
from lib.nas.drawing import draw_networks
from lib.nas.notation import parse
from lib.nas.search import Search, SearchSettings
from lib.nas.transforms import paper_space
from lib.plots import nas as plots
from lib.reported import nas as reported

PRINTED = reported.NETWORKS.query("results in ('III', 'IV')")


@pytest.mark.parametrize("name", ["M_3", "KAU-BCMD BbNAS", "MNIST SE-BbNAS"])
def test_a_drawing_has_a_box_for_every_layer(name):
    row = reported.NETWORKS.loc[name]
    architecture = parse(row.text)
    figure = draw_networks({name: architecture, "again": architecture}, (row.height, row.width, row.channels))
    boxes = [patch for patch in figure.axes[0].patches if "FancyBbox" in type(patch).__name__]
    assert len(boxes) == 2 * (len(architecture) + 1)


def test_searches_are_drawn_before_and_after_they_ran(tmp_path):
    settings = SearchSettings(paper_space("IB"), (28, 28, 1))
    scores = {"accuracy": 0.9, "cross_entropy": 0.1, "epochs": 1}
    whole = Search(settings, str, lambda wave: [Result(job, scores) for job in wave]).frame
    tree = plots.tree(whole)
    assert len(tree.axes[0].texts) == len(whole) == 21
    models = pd.concat({("BbNAS", 0): whole}, names=["strategy", "seed"])
    for figure in (tree, plots.fronts(models, PRINTED)):
        figure.savefig(tmp_path / "figure.png")
    assert plots.tree(whole.head(0)) is plots.fronts(models.head(0), PRINTED) is None


def test_errors_are_drawn_with_and_without_a_network_of_ours(tmp_path):
    ours = pd.DataFrame({"accuracy": 0.996, "low": 0.994, "high": 0.997, "parameters": 1e5}, index=["found"])
    names = ["source", "network"]
    for parts in ({"here": ours, "paper": PRINTED}, {"paper": PRINTED}):
        table = pd.concat(parts, names=names).reindex(columns=["accuracy", "low", "high", "parameters"])
        figure = plots.error_over_size(table)
        figure.savefig(tmp_path / "figure.png")
        shown = {text.get_text() for text in figure.axes[0].texts}
        assert ("found" in shown) == ("here" in parts)
