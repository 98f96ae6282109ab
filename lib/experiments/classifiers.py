"""Classifiers that an honest evaluation compares: the paper's head, its variations, and better models.

Each function returns a ``predict`` for :func:`lib.experiments.grouped_cv.run`: from a split and its test fold
to class probabilities (n_seeds, n, n_classes) of all images.  Features may differ with the test fold,
as those of masks do: ``x`` is then (n_folds, n, n_features).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from scipy import ndimage
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lib.core import runtime
from lib.data.splits import Split
from lib.evaluation import calibration
from lib.two_stage import classification

Predict = Callable[[Split, int], np.ndarray]

_PENALTIES = tuple(10.0**power for power in (-4, -3, -2, -1, 0))
_COMPONENTS = 100


def head(
    x: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    settings: classification.Settings,
    seeds: Sequence[int],
    cache: Path | None = None,
) -> Predict:
    """The paper's head on features; ``settings.balance`` may weigh or resample the classes."""

    def predict(split: Split, fold: int) -> np.ndarray:
        return classification.head_rounds(_of_fold(x, fold), labels, n_classes, split, settings, seeds, cache)

    return predict


def mirrored_head(
    x: np.ndarray,
    mirrored: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    settings: classification.Settings,
    seeds: Sequence[int],
    cache: Path | None = None,
) -> Predict:
    """The paper's head, learning from images and their mirror images, and averaging over both in the test."""
    n, doubled, both = len(labels), np.concatenate([x, mirrored]), np.concatenate([labels, labels])

    def predict(split: Split, fold: int) -> np.ndarray:
        twice = Split(*(np.concatenate([part, part + n]) for part in split.parts().values()))
        said = classification.head_rounds(doubled, both, n_classes, twice, settings, seeds, cache)
        return (said[:, :n] + said[:, n:]) / 2

    return predict


def logistic(x: np.ndarray, labels: np.ndarray, balanced: bool = True) -> Predict:
    """Logistic regression on standardised features, at most 100 principal components of them.

    The strength of the penalty has the lowest cross-entropy on the validation part, and nothing is
    fitted again with it.  Deterministic: one "seed".
    """

    def fit(features: np.ndarray, split: Split, penalty: float):
        steps = [StandardScaler()]
        if features.shape[1] > _COMPONENTS:
            steps.append(PCA(min(_COMPONENTS, len(split.train) - 1), random_state=0))
        weight = "balanced" if balanced else None
        model = make_pipeline(*steps, LogisticRegression(C=penalty, class_weight=weight, max_iter=5000))
        return model.fit(features[split.train], labels[split.train])

    def predict(split: Split, fold: int) -> np.ndarray:
        features = _of_fold(x, fold)
        models = [fit(features, split, penalty) for penalty in _PENALTIES]
        losses = [
            calibration.nll(labels[split.validation], model.predict_proba(features[split.validation]))
            for model in models
        ]
        return models[int(np.argmin(losses))].predict_proba(features)[None]

    return predict


def mc_dropout(
    x: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    settings: classification.Settings,
    seed: int,
    n_passes: int = 20,
    dropout: float = 0.2,
) -> Predict:
    """One head whose dropout stays on in the test (Gal & Ghahramani 2016); its passes stand for seeds.

    The paper's rate of 0.05 hardly varies the answers, so a higher one is the default.
    """
    settings = replace(settings, dropout=dropout)

    def predict(split: Split, fold: int) -> np.ndarray:
        features = _of_fold(x, fold)
        model, _ = classification.train_head(features, labels, n_classes, split, settings, seed)
        runtime.seed_everything(seed)
        passes = [keras.ops.convert_to_numpy(model(features, training=True)) for _ in range(n_passes)]
        return np.stack(passes)

    return predict


def lesion_crops(images: np.ndarray, masks: np.ndarray, margin: float = 0.25, threshold: float = 0.5) -> np.ndarray:
    """The surroundings of each drawn lesion, enlarged to the size of the masks; the whole image if nothing is drawn.

    Parameters
    ----------
    images : (n, fine, fine, 1) in [0, 1], as large as the masks or larger: a crop then shows more than
        the image that the mask was drawn on.
    masks : (n, size, size, 1) in [0, 1].
    margin : of the longer side of the bounding box, on each side; the crop is square.

    Returns
    -------
    float32 (n, size, size, 1).
    """
    size, finer = masks.shape[1], images.shape[1] / masks.shape[1]
    crops = np.empty(masks.shape, np.float32)
    for index, (image, mask) in enumerate(zip(images[..., 0], masks[..., 0], strict=True)):
        rows, columns = np.nonzero(mask >= threshold)
        if len(rows) == 0:
            rows = columns = np.array([0, size - 1])
        side = min(max(np.ptp(rows) + 1, np.ptp(columns) + 1) * (1 + 2 * margin), size)
        top, left = (np.clip((part.min() + part.max() + 1) / 2 - side / 2, 0, size - side) for part in (rows, columns))
        steps = (np.arange(size) + 0.5) * side / size
        grid = np.meshgrid((top + steps) * finer - 0.5, (left + steps) * finer - 0.5, indexing="ij")
        crops[index, ..., 0] = ndimage.map_coordinates(image, grid, order=1, mode="nearest")
    return crops


def _of_fold(x: np.ndarray, fold: int) -> np.ndarray:
    return x[fold] if x.ndim == 3 else x
