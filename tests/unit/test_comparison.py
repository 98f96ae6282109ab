import numpy as np
import pandas as pd
import pytest

from lib.evaluation import paired as comparison

LABELS = np.array([0, 1, 2, 1, 0])


def heads(said_by_input):
    """One round; test images 1 to 4."""
    rows = []
    for name, rounds in said_by_input.items():
        for number, said in enumerate(rounds):
            accuracy = float(np.mean(np.array(said) == LABELS[1:]))
            probabilities = np.eye(3)[said].tolist()
            rows.append({"inputs": name, "number": number, "test": [1, 2, 3, 4], "probabilities": probabilities})
            rows[-1]["accuracy"] = accuracy
    return pd.DataFrame(rows)


def test_summary_and_classes():
    frame = heads({"image": [[1, 2, 1, 0], [1, 2, 0, 1]]})
    table = comparison.summarise(frame, pd.Series({"image": 0.9}))
    assert table.loc["image", "mean"] == pytest.approx(0.75)
    assert table.loc["image", "heads"] == 2
    assert table.loc["image", "95 % low"] < 0.5  # two rounds, 0.5 and 1: hardly anything is known

    class Data:
        labels, classes = LABELS, ("normal", "benign", "malignant")

    by_class = comparison.class_table(frame, Data)
    assert by_class.loc["image", "accuracy"] == pytest.approx(0.75)
    assert by_class.loc["image", "recall normal"] == pytest.approx(0.5)


def test_pairs_are_compared_image_by_image():
    frame = heads({"a": [[1, 2, 1, 0], [1, 2, 1, 0]], "b": [[1, 2, 1, 1], [1, 2, 0, 1]]})
    right = comparison.right_answers(frame, LABELS)
    assert right.shape == (8, 2)
    row = comparison.compare(right, [("a", "b")]).loc["a – b"]
    assert row.difference == pytest.approx(3 / 8)
    assert (row["only first"], row["only second"]) == (3, 0)
    assert row["p pooled"] == pytest.approx(0.25)
    assert row["p median"] == pytest.approx((1.0 + 0.5) / 2)
    assert row["95 % low"] <= row.difference <= row["95 % high"]
    assert row.images == 4
    text = comparison.in_words(row)
    assert "+1.5 of 4 images" in text
    assert "not significant" in text


def test_no_interval_without_zero_is_called_no_difference():
    row = pd.Series({"difference": 0.1, "95 % low": -0.02, "95 % high": 0.2, "images": 79, "p median": 0.5}, name="x")
    assert "no difference is shown" in comparison.in_words(row)
    row["95 % low"] = 0.01
    assert "excludes zero" in comparison.in_words(row)


def test_least_significant_gain_of_one_hold_out():
    # 2 · 0.5⁵ = 0.0625 and 2 · 0.5⁶ = 0.03125
    assert comparison.least_significant_gain() == 6
