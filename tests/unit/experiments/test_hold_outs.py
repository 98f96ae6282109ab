import numpy as np
import pandas as pd

from lib.experiments import hold_outs


def test_printed_rows_are_those_of_both_tables():
    printed = hold_outs.printed()
    assert len(printed) == 4 + 12
    assert printed.accuracy["image", "DenseNet201"] == 0.8734
    assert printed.accuracy["image", "VGG16"] == 0.7468


def test_a_printed_score_is_set_against_one_test_set():
    """Two trainings with 90 and 70 % right, in every class alike."""
    labels = np.tile(np.repeat([0, 1, 2], [20, 50, 30]), 2)
    right = np.concatenate([np.arange(100) % 10 < 9, np.arange(100) % 10 < 7])
    found = pd.DataFrame({"backbone": "VGG16", "inputs": "image", "round": np.repeat([0, 1], 100), "head": 0})
    found = found.assign(image=np.tile(np.arange(100), 2), label=labels)
    found["predicted"] = np.where(right, labels, (labels + 1) % 3)
    table = hold_outs.table(found, np.arange(100))
    assert len(table) == 10
    row = table.loc[("image", "VGG16", "accuracy")]
    assert row[["paper", "here", "trainings"]].tolist() == [0.7468, 0.8, 2]
    assert 0.58 < row["95 % low"] < 0.66 < 0.92 < row["95 % high"] < 0.98
    assert hold_outs.table(found.assign(backbone="unknown"), np.arange(100)).empty
