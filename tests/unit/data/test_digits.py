import numpy as np
import pytest

from lib.core import paths
from lib.data import digits, splits


def test_small_digits_come_with_the_package():
    parts = digits.SmallDigits().load(), digits.SmallDigits("test").load()
    assert [part.images.shape for part in parts] == [(1200, 8, 8, 1), (597, 8, 8, 1)]
    assert (parts[0].images.min(), parts[0].images.max()) == (0, 1)
    assert sum(part.counts() for part in parts).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_a_sample_keeps_proportions():
    labels = digits.SmallDigits().load().labels
    chosen = splits.sample(labels, 800, seed=3)
    assert len(set(chosen)) == 800
    share = np.bincount(labels) / len(labels)
    assert abs(np.bincount(labels[chosen]) / 800 - share).max() < 0.003
    np.testing.assert_array_equal(chosen, splits.sample(labels, 800, seed=3))
    assert not np.array_equal(chosen, splits.sample(labels, 800, seed=4))
    assert splits.sample(labels, 1200, 0).tolist() == list(range(1200))


def test_mnist_is_mnist():
    if paths.find_data("mnist.npz") is None:
        pytest.skip("mnist.npz is not here")
    train, test = digits.Mnist().load(), digits.Mnist("test").load()
    assert train.images.shape == (60_000, 28, 28, 1)
    assert test.images.shape == (10_000, 28, 28, 1)
    assert train.images.dtype == np.float32
    assert (train.images.min(), train.images.max()) == (0, 1)
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_without_file_and_network_the_place_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_DATA", str(tmp_path))
    monkeypatch.setattr(digits, "URL", "http://127.0.0.1:9/mnist.npz")
    with pytest.raises(paths.MissingDataError, match=r"Put it at .*mnist\.npz"):
        digits.Mnist().read()
