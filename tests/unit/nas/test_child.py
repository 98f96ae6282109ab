from dataclasses import dataclass

import keras
import numpy as np
import pytest

from lib.core import jobs
from lib.core.store import Store
from lib.data.record import ImageSet
from lib.data.sources import Source
from lib.nas.child import AUGMENTATIONS, Recipe, nas_child, network

TINY = "C(4,3) P(2,2) GAP() FC(2)"


@dataclass(frozen=True)
class Squares(Source):
    """Bright and dark squares: any network tells them apart."""

    n: int = 80
    broken: bool = False

    def read(self) -> ImageSet:
        labels = np.arange(self.n) % 2
        images = np.random.default_rng(0).random((self.n, 8, 8, 1)) * 0.3 + 0.5 * labels[:, None, None, None]
        images = np.where(self.broken, np.nan, images).astype(np.float32)
        return ImageSet(images, labels, np.array([f"{i}" for i in range(self.n)]), ("dark", "bright"), "squares")


def child(recipe, text=TINY, data=Squares(), **changes):
    parts = {"train": np.arange(60), "validation": np.arange(60, 80), "seed": 3, **changes}
    return nas_child(data=data, text=text, settings=recipe, **parts)


@pytest.fixture
def run(tmp_path):
    store = Store(tmp_path)
    return lambda job, extras=(): jobs.run([job], store, extras=extras)[0]


def test_a_network_learns_and_is_scored(run):
    recipe = Recipe(epochs=8, learning_rate=0.05, l2=0.0, batch_size=16, patience=0)
    result = run(child(recipe, test=np.arange(70, 80)), ("weights",))
    assert result["accuracy"] > 0.9
    assert result["history"]["kept"].index(True) == int(np.argmin(result["history"]["val_cross_entropy"]))
    assert result["probabilities"].dtype == np.float32
    assert result["labels"].tolist() == [0, 1] * 5
    right = result["probabilities"][np.arange(10), result["labels"]]
    assert result["test_cross_entropy"] == pytest.approx(-np.log(right).mean(), rel=1e-5)
    many = run(child(recipe, test=np.arange(2000), test_data=Squares(2000)))
    assert many["probabilities"].dtype == np.float16
    assert (many["probabilities"].argmax(1) == many["labels"]).mean() > 0.9
    assert many["history"] == result["history"]


def test_patience_watches_the_cross_entropy_without_the_penalty(run):
    """The penalty alone would keep the loss falling: no gain in cross-entropy ends the training."""
    result = run(child(Recipe(epochs=30, learning_rate=1e-4, l2=1.0), data=Squares(80)))
    loss, entropy = (result["history"][name] for name in ("val_loss", "val_cross_entropy"))
    assert result["cross_entropy"] == min(entropy)
    assert min(loss) > min(entropy)
    assert result["epochs"] == min(30, int(np.argmin(entropy)) + 3)


def test_a_loss_that_is_no_number_is_kept_as_the_result(run, tmp_path):
    job = child(Recipe(epochs=1), data=Squares(broken=True))
    assert "not a number" in run(job).error
    assert Store(tmp_path).holds(job)


def test_structure_recipe_and_images_are_in_the_key():
    keys = {
        child(Recipe()).key,
        child(Recipe(epochs=3)).key,
        child(Recipe(), text="C(5,3) P(2,2) GAP() FC(2)").key,
        child(Recipe(), train=np.arange(59)).key,
        child(Recipe(), seed=4).key,
        child(Recipe(), test=np.arange(3)).key,
    }
    assert len(keys) == 6
    assert child(Recipe(l2=0.02)).key == child(Recipe()).key


def test_recipes_with_one_graph_share_a_compiled_network():
    plain = network(TINY, (8, 8, 1), Recipe(), 0, 10)
    assert network(TINY, (8, 8, 1), Recipe(epochs=3, batch_size=8, patience=0, augmentation="digits"), 1, 99) is plain
    assert network(TINY, (8, 8, 1), Recipe(l2=0.0), 0, 10) is not plain


def test_the_penalty_is_the_sum_of_squared_kernels():
    model = network(TINY, (8, 8, 1), Recipe(), 0, 10)
    kernels = sum((array**2).sum() for array in model.get_weights() if array.ndim > 1)
    penalties = [keras.ops.convert_to_numpy(loss) for loss in model.losses]
    assert sum(penalties) == pytest.approx(0.02 * kernels, rel=1e-5)


def test_augmented_digits_keep_what_is_far_from_the_border():
    images = np.zeros((3, 28, 28, 1), np.float32)
    images[:, 12:16, 12:16] = 1
    moved, labels = AUGMENTATIONS["digits"](np.random.default_rng(0), images, np.arange(3))
    assert moved.shape == images.shape
    assert not np.array_equal(moved, images)
    np.testing.assert_allclose(moved.sum(axis=(1, 2, 3)), 16, rtol=0.35)
    assert labels.tolist() == [0, 1, 2]
