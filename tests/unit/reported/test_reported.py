import numpy as np

from lib import reported
from lib.reported import nas, two_stage

CLASSES = ("normal", "benign", "malignant")


def test_printed_tables_agree_with_themselves():
    """Accuracies are whole numbers of 79 images and F1 follows from precision and recall: no slip in copying."""
    for table in (two_stage.table_i(), two_stage.table_ii()):
        right = table.accuracy * 79
        np.testing.assert_allclose(right, right.round(), atol=0.005)
        for name in CLASSES:
            precision, recall, f1 = (table[f"{measure} {name}"] for measure in ("precision", "recall", "f1"))
            np.testing.assert_allclose(f1, 2 * precision * recall / (precision + recall), atol=1.5e-4)


def test_recalls_are_counts_of_the_test_images():
    for table in (two_stage.table_i(), two_stage.table_ii()):
        counts = sum(table[f"recall {name}"] * n for name, n in zip(CLASSES, (14, 44, 21), strict=True))
        np.testing.assert_allclose(counts, table.accuracy * 79, atol=0.02)


def test_the_models_row_is_the_same_in_both_tables():
    assert two_stage.table_i().loc["image+mask"].equals(two_stage.table_ii().loc["Ours"].rename("image+mask"))
    assert two_stage.table_i().loc["image"].equals(two_stage.table_ii().loc["DenseNet201"].rename("image"))
    assert len(two_stage.table_ii()) == 14


def test_the_text_repeats_the_tables():
    text, table = two_stage.text().value, two_stage.table_i().accuracy
    for what, inputs in (("", "image+mask"), (", image alone", "image"), (", ground-truth masks", table.index[3])):
        assert text[f"test accuracy{what}"] == table[inputs]
    assert text["images"] == sum(text[f"images {name}"] for name in CLASSES)


def test_printed_networks_are_read_whole():
    results = nas.NETWORKS
    assert results.parameters.notna().sum() == 9
    assert results.parameters.dtype == "Int64"
    assert nas.NETWORKS.call.dropna().index.tolist() == ["M_0", "M_1", "M_2", "M_3"]
    assert nas.NETWORKS.text["M"] == nas.M
    assert nas.MNIST_SHAPE == (28, 28, 1)


def test_elsewhere_dice_and_iou_are_of_one_order():
    """Means over images: the Dice that follows from the mean IoU is an upper bound of the mean Dice, not far off."""
    table = reported.read("elsewhere_segmentation")
    bound = 2 * table.iou / (1 + table.iou)
    assert ((bound - table.dice).abs() < 0.06).all()
    assert (table.dice > table.iou).all()


def test_accuracies_on_mammograms_that_may_be_cut_off_are_shares_of_127_films():
    sizes = nas.mammogram_test_sizes(300, cut_off=True)
    assert sizes == [127, 254]
    assert nas.mammogram_test_sizes(1_974) == [1_974], "none below, if they are rounded"
    for size in sizes:
        assert [round(size * share) for share in (0.8425, 0.9843, 0.8267)] == [size * n // 127 for n in (107, 125, 105)]
