"""Every image tested once by models that have seen neither it nor a relative: grouped k-fold, pooled.

Fold k is tested; fold k + 1 chooses (the epoch, the temperature, the threshold, the strength of a
penalty); the others are learnt from.  Each image is therefore tested once and chooses once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib.core import artifacts
from lib.data.record import ImageSet
from lib.data.splits import Split
from lib.evaluation import calibration
from lib.evaluation import metrics as evaluation
from lib.evaluation import statistics as significance
from lib.two_stage import crossfit, segmentation


@dataclass(frozen=True)
class Pooled:
    """Class probabilities of all n images by models that were not trained on their fold.

    Attributes
    ----------
    test : float (n_seeds, n, n_classes): of the models that are tested on the image.
    validation : the same, of the models that chose on it.  They stand for those of the fold before.
    folds : int64 (n,).
    """

    test: np.ndarray
    validation: np.ndarray
    folds: np.ndarray

    def mean(self) -> np.ndarray:
        """Probabilities (n, n_classes), averaged over seeds: the ensemble of the rounds."""
        return self.test.mean(axis=0)

    def validation_accuracy(self, labels: np.ndarray) -> float:
        """Accuracy on the folds that choose, the rounds' probabilities averaged."""
        return float((self.validation.mean(axis=0).argmax(axis=1) == labels).mean())

    def calibrated(self, labels: np.ndarray) -> tuple[np.ndarray, list[float]]:
        """:meth:`mean` after temperature scaling, and each fold's temperature.

        A fold's temperature is fitted on its own validation fold with the same models.
        """
        probabilities, validation = self.mean().copy(), self.validation.mean(axis=0)
        temperatures = []
        for fold in range(self.folds.max() + 1):
            chosen, tested = self.folds == chooser(fold, self.folds.max() + 1), self.folds == fold
            temperatures.append(calibration.fit_temperature(labels[chosen], validation[chosen]))
            probabilities[tested] = calibration.apply_temperature(probabilities[tested], temperatures[-1])
        return probabilities, temperatures


def chooser(fold: int, n_folds: int) -> int:
    """The fold that chooses for the models that are tested on ``fold``."""
    return (fold + 1) % n_folds


def split_of(folds: np.ndarray, fold: int) -> Split:
    """The split in which ``fold`` is tested."""
    other = chooser(fold, int(folds.max()) + 1)
    return Split(*(np.flatnonzero(part) for part in (~np.isin(folds, (fold, other)), folds == other, folds == fold)))


def run(predict: Callable[[Split, int], np.ndarray], folds: np.ndarray) -> Pooled:
    """Cross-validate one candidate.

    Parameters
    ----------
    predict : from a split and the number of its test fold to class probabilities of all images, (n_seeds, n,
        n_classes), by models trained on ``split.train`` and chosen on ``split.validation``.
    """
    test = validation = None
    for fold in range(int(folds.max()) + 1):
        split = split_of(folds, fold)
        said = predict(split, fold)
        if test is None:
            test, validation = np.full_like(said, np.nan), np.full_like(said, np.nan)
        test[:, split.test] = said[:, split.test]
        validation[:, split.validation] = said[:, split.validation]
    for said in (test, validation):
        calibration.check_probabilities(said.reshape(-1, said.shape[-1]))
    return Pooled(test, validation, folds)


def ensemble(members: Mapping[str, Pooled]) -> Pooled:
    """The mean of several candidates' probabilities, seeds averaged first; no weights are chosen."""
    first = next(iter(members.values()))
    test = np.mean([one.test.mean(axis=0) for one in members.values()], axis=0)
    validation = np.mean([one.validation.mean(axis=0) for one in members.values()], axis=0)
    return Pooled(test[None], validation[None], first.folds)


def chosen_ensemble(members: Mapping[str, Pooled], labels: np.ndarray, n_picks: int = 20) -> Pooled:
    """The mean of members picked one by one, again if need be, so that the validation fold's cross-entropy is least.

    Greedy selection with replacement (Caruana et al. 2004), for each fold on its own validation fold.
    The ensemble's probabilities of that fold are those it was picked by, and so a little too good.
    """
    candidates = list(members.values())
    test, validation = (
        np.stack([said.mean(axis=0) for said in part])
        for part in ([one.test for one in candidates], [one.validation for one in candidates])
    )
    folds, mixed, chosen_by = candidates[0].folds, np.empty_like(test[0]), np.empty_like(test[0])
    n_folds = int(folds.max()) + 1
    for fold in range(n_folds):
        chosen, tested = folds == chooser(fold, n_folds), folds == fold
        picks: list[int] = []
        for _ in range(n_picks):
            losses = [
                calibration.nll(labels[chosen], validation[[*picks, one]][:, chosen].mean(axis=0))
                for one in range(len(candidates))
            ]
            picks.append(int(np.argmin(losses)))
        mixed[tested] = test[picks][:, tested].mean(axis=0)
        chosen_by[chosen] = validation[picks][:, chosen].mean(axis=0)
    return Pooled(mixed[None], chosen_by[None], folds)


def nested_masks(
    data: ImageSet, folds: np.ndarray, settings: segmentation.Settings, seed: int, cache: Path | None = None
) -> np.ndarray:
    """Masks for each test fold, float32 (n_folds, n, height, width, 1) in [0, 1].

    One network for each pair of folds, trained on the others.  With fold k tested, an image of another
    fold j is drawn by the network without j and k, and an image of fold k by the mean of the networks
    without k: none of them has seen fold k or the image it draws.
    """
    n_folds = int(folds.max()) + 1
    masks = np.zeros((n_folds, *data.images.shape), np.float32)
    for first, second in crossfit.pairs(n_folds):
        model = crossfit.without(data, folds, (first, second), settings, seed, cache)
        for tested, other in ((first, second), (second, first)):
            drawn = segmentation.predict(model, data.images[folds == other], mirrored=True)
            masks[tested, folds == other] = drawn
            masks[other, folds == other] += drawn / (n_folds - 1)
    return masks


def own_masks(
    data: ImageSet, folds: np.ndarray, settings: segmentation.Settings, seed: int, cache: Path | None = None
) -> np.ndarray:
    """Masks for each test fold as the paper makes them, float32 (n_folds, n, height, width, 1) in [0, 1].

    One network a test fold, trained on the images that the classifier learns from.  It draws those too, and
    so better than the others (compare :func:`nested_masks`).
    """
    drawn = []
    for fold in range(int(folds.max()) + 1):
        model = trained_beside(data, folds, fold, settings, seed, cache)
        drawn.append(segmentation.predict(model, data.images, mirrored=True))
    return np.stack(drawn)


def trained_beside(
    data: ImageSet, folds: np.ndarray, fold: int, settings: segmentation.Settings, seed: int, cache: Path | None = None
) -> keras.Model:
    """Stage 1 that has seen neither the tested ``fold`` nor the one that chooses: both look alike to it."""
    pair = tuple(sorted((fold, chooser(fold, int(folds.max()) + 1))))
    return crossfit.without(data, folds, pair, settings, seed, cache)


def tested_masks(masks: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Of :func:`nested_masks` those of the test folds: each image drawn by networks that never saw it."""
    return masks[folds, np.arange(len(folds))]


def scores(
    pooled: Pooled, labels: np.ndarray, groups: np.ndarray, classes: tuple[str, ...], seed: int = 0
) -> pd.Series:
    """Pooled out-of-fold scores of the rounds' ensemble, with cluster-bootstrap intervals over groups.

    Returns
    -------
    ``accuracy``, ``balanced accuracy`` and ``macro F1``, each with ``low`` and ``high`` (95 %);
    ``AUC malignant`` against the rest with the interval of DeLong for clustered data; ``sd seeds`` of the
    accuracy of single rounds, and ``sd folds`` of the ensemble's accuracy.
    """
    probabilities = pooled.mean()
    said = probabilities.argmax(axis=1)
    right = (said == labels).astype(float)
    row: dict[str, float] = {}
    row |= _interval("accuracy", significance.mean_bootstrap(right, groups, seed=seed))
    n_classes = len(classes)

    def both(indices: np.ndarray) -> np.ndarray:
        matrix = np.bincount(labels[indices] * n_classes + said[indices], minlength=n_classes**2)
        matrix = matrix.reshape(n_classes, n_classes)
        hits, true, named = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
        # A resample without a class has no recall of it: undefined, and left out of the interval.
        recall = np.where(true > 0, hits / np.maximum(true, 1), np.nan)
        f1 = np.where(true > 0, 2 * hits / np.maximum(true + named, 1), np.nan)
        return np.array([recall.mean(), f1.mean()])

    bootstrap = significance.cluster_bootstrap(both, groups, seed=seed)
    for index, name in enumerate(("balanced accuracy", "macro F1")):
        row[name], row[f"{name} low"], row[f"{name} high"] = (
            float(part[index]) for part in (bootstrap.estimate, bootstrap.low, bootstrap.high)
        )
    malignant = classes.index("malignant") if "malignant" in classes else n_classes - 1
    auc = significance.delong_interval(labels == malignant, probabilities[:, malignant], groups)
    row |= dict(zip(("AUC malignant", "AUC malignant low", "AUC malignant high"), auc, strict=True))
    singles = (pooled.test.argmax(axis=2) == labels).mean(axis=1)
    row["sd seeds"] = float(singles.std(ddof=1)) if len(singles) > 1 else float("nan")
    row["sd folds"] = float(np.std([right[pooled.folds == fold].mean() for fold in np.unique(pooled.folds)], ddof=1))
    return pd.Series(row)


def compare(a: Pooled, b: Pooled, labels: np.ndarray, groups: np.ndarray, positive: int, seed: int = 0) -> pd.Series:
    """Candidate ``a`` against ``b`` on the same images.

    Returns
    -------
    ``difference`` in accuracy with its cluster-bootstrap interval, exact McNemar's p (which takes images
    for independent), and the difference in AUC of class ``positive`` with the p of DeLong for clusters.
    """
    first, second = a.mean(), b.mean()
    right_a, right_b = first.argmax(axis=1) == labels, second.argmax(axis=1) == labels
    bounds = significance.mean_bootstrap(right_a.astype(float) - right_b, groups, seed=seed)
    exact = significance.mcnemar(right_a, right_b)
    auc = significance.delong(labels == positive, first[:, positive], second[:, positive], groups)
    return pd.Series(
        {
            "difference": bounds.estimate,
            "95 % low": bounds.low,
            "95 % high": bounds.high,
            "only first": exact.only_a,
            "only second": exact.only_b,
            "p McNemar": exact.p_value,
            "AUC difference": auc.difference,
            "p DeLong": auc.p_value,
        }
    )


def _interval(name: str, bootstrap: significance.Bootstrap) -> dict[str, float]:
    return {name: bootstrap.estimate, f"{name} low": bootstrap.low, f"{name} high": bootstrap.high}


def fold_table(folds: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: tuple[str, ...]) -> pd.DataFrame:
    """Images of each class and groups in each fold."""
    table = pd.crosstab(pd.Series(folds, name="fold"), pd.Series(np.array(classes)[labels], name="class"))
    return table[list(classes)].assign(groups=pd.Series(groups).groupby(folds).nunique())


def as_hash(folds: np.ndarray, names: np.ndarray) -> str:
    """Stands for who is tested where; the same on every machine."""
    order = np.argsort(names)
    return artifacts.digest(names[order].tolist(), folds[order])


def class_scores(pooled: Pooled, labels: np.ndarray, classes: tuple[str, ...]) -> pd.DataFrame:
    """Precision, recall and F1 of each class, out of fold (see :func:`lib.evaluation.metrics.class_scores`)."""
    return evaluation.class_scores(labels, pooled.mean().argmax(axis=1), classes)
