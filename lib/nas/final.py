"""The last step: train a chosen architecture, score it once on the test set, write it out."""

from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from sklearn.metrics import balanced_accuracy_score, f1_score
from statsmodels.stats.proportion import proportion_confint

from lib.core import artifacts
from lib.nas.notation import Architecture
from lib.nas.tables import describe
from lib.nas.training import Data, Recipe, predict, train


@dataclass(frozen=True)
class Final:
    """A trained architecture and what it says about the test images.

    Attributes
    ----------
    weights : in Keras' order.
    probabilities : float32 (n_test, classes).
    labels : int64 (n_test,).
    epochs, seconds : of the training.
    history : per-epoch values as Keras names them.
    """

    text: str
    parameters: int
    weights: list[np.ndarray]
    probabilities: np.ndarray
    labels: np.ndarray
    epochs: int
    seconds: float
    history: dict[str, list[float]]

    def scores(self) -> dict[str, float]:
        """See :func:`scores`."""
        return scores(self.labels, self.probabilities)


def train_and_test(
    architecture: Architecture,
    data: Data,
    test: tuple[np.ndarray, np.ndarray],
    recipe: Recipe,
    seed: int,
    folder: Path,
) -> Final:
    """Train from scratch and look at the test images once; done once per architecture, data, recipe and seed.

    Parameters
    ----------
    test : images (n, height, width, channels) and labels (n,).
    folder : cache; a killed training goes on from its last whole epoch if the recipe has no early
        stopping.
    """
    key = {
        "step": "nas-final",
        "architecture": str(architecture),
        "data": artifacts.digest(data.train_images, data.train_labels, data.validation_images, data.validation_labels),
        "test": artifacts.digest(*test),
        "recipe": asdict(recipe),
        "seed": seed,
    }
    backup = None if recipe.patience else Path(folder) / f"nas-final-backup-{artifacts.digest(key)}"

    def make() -> Final:
        model, outcome = train(architecture, data, recipe, seed, backup=backup)
        return Final(
            str(architecture),
            model.count_params(),
            model.get_weights(),
            predict(model, test[0]),
            test[1],
            outcome.epochs,
            outcome.seconds,
            outcome.history,
        )

    return artifacts.cached(key, make, Path(folder), code=("lib.nas.training",))


def test_once(
    architecture: Architecture, weights: list[np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> dict[str, float]:
    """Scores of a search's winner, with its own weights, on the test images."""
    model = restore(architecture, weights, test[0].shape[1:])
    return scores(test[1], predict(model, test[0]))


def restore(architecture: Architecture, weights: list[np.ndarray], input_shape: tuple[int, ...]) -> keras.Model:
    """The Keras model with these weights."""
    model = architecture.build(tuple(input_shape))
    model.set_weights(weights)
    return model


def scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """What stands beside every accuracy.

    Returns
    -------
    ``images``, ``correct``, ``accuracy`` with the bounds ``low`` and ``high`` of Wilson's 95 %
    interval, ``majority`` (what always telling the commonest class would reach), ``balanced``
    (mean recall of the classes), ``macro_f1``, ``loss`` (cross-entropy).
    """
    predicted = probabilities.argmax(1)
    correct = int((predicted == labels).sum())
    low, high = proportion_confint(correct, len(labels), method="wilson")
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    present = np.unique(labels)
    return {
        "images": len(labels),
        "correct": correct,
        "accuracy": correct / len(labels),
        "low": float(low),
        "high": float(high),
        "majority": float(np.bincount(labels).max() / len(labels)),
        "balanced": float(balanced_accuracy_score(labels, predicted)),
        "macro_f1": float(f1_score(labels, predicted, labels=present, average="macro", zero_division=0)),
        "loss": float(-np.log(np.maximum(chosen, 1e-7)).mean()),
    }


def export(architecture: Architecture, weights: list[np.ndarray], input_shape: tuple[int, ...], path: Path) -> Path:
    """Write ``path``.keras (loads with plain Keras) and ``path``.txt (notation and costs); return the first.

    The picture is made by :func:`lib.plots.nas.draw_architecture`.
    """
    model = restore(architecture, weights, input_shape)
    with artifacts.atomic(Path(path).with_suffix(".keras")) as temporary:
        model.save(temporary)
    with artifacts.atomic(Path(path).with_suffix(".txt")) as temporary:
        temporary.write_text(f"{architecture}\n\n{describe(architecture, input_shape).to_string()}\n", encoding="utf-8")
    return Path(path).with_suffix(".keras")
