import numpy as np
import pytest

from lib.core import paths
from lib.data import digits, splits
from lib.data.record import DataError


def test_small_digits_come_with_the_package():
    parts = digits.small(), digits.small("test")
    assert [part.images.shape for part in parts] == [(1200, 8, 8, 1), (597, 8, 8, 1)]
    assert (parts[0].images.min(), parts[0].images.max()) == (0, 1)
    assert sum(part.counts() for part in parts).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_samples_are_disjoint_and_keep_proportions():
    labels = digits.small().labels
    first, second = splits.sample(labels, (800, 400), seed=3)
    assert not set(first) & set(second)
    share = np.bincount(labels) / len(labels)
    assert abs(np.bincount(labels[first]) / 800 - share).max() < 0.003
    assert abs(np.bincount(labels[second]) / 400 - share).max() < 0.005
    np.testing.assert_array_equal(first, splits.sample(labels, (800, 400), seed=3)[0])
    assert not np.array_equal(first, splits.sample(labels, (800, 400), seed=4)[0])


def test_a_sample_can_be_everything_but_not_more():
    labels = np.repeat([0, 1], 5)
    assert splits.sample(labels, (10,), 0)[0].tolist() == list(range(10))
    with pytest.raises(DataError, match="10 images cannot give"):
        splits.sample(labels, (8, 3), 0)


def test_mnist_is_mnist():
    if paths.find_data("mnist.npz") is None:
        pytest.skip("mnist.npz is not here")
    train, test = digits.mnist(), digits.mnist("test")
    assert train.images.shape == (60_000, 28, 28, 1)
    assert test.images.shape == (10_000, 28, 28, 1)
    assert train.images.dtype == np.float32
    assert (train.images.min(), train.images.max()) == (0, 1)
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_another_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_DATA", str(tmp_path))
    file = tmp_path / "mnist.npz"
    np.savez(file, x_train=np.zeros((3, 28, 28)), y_train=np.zeros(3), x_test=np.zeros((1, 28, 28)), y_test=np.zeros(1))
    with pytest.raises(DataError, match="x_train is"):
        digits.mnist()
    file.write_bytes(b"not a zip")
    with pytest.raises(DataError, match=r"not mnist\.npz"):
        digits.mnist()


def test_without_file_and_network_the_place_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PAPER_DATA", str(tmp_path))
    monkeypatch.setattr(digits, "URL", "http://127.0.0.1:9/mnist.npz")
    with pytest.raises(paths.MissingDataError, match=r"Put it at .*mnist\.npz"):
        digits.mnist()
