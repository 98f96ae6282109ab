"""Printed scores of one test set, beside the interval in which the score of one such test set should lie."""

import numpy as np
import pandas as pd

from lib.evaluation import metrics, statistics
from lib.reported import two_stage
from lib.reported.arithmetic import CLASSES, N_TEST


def printed() -> pd.DataFrame:
    """Tables I and II in one, by ``inputs`` and ``backbone``."""
    one, two = two_stage.table_i(), two_stage.table_ii().drop(index=["Ours", "DenseNet201"])
    parts = {(inputs, "DenseNet201"): row for inputs, row in one.iterrows()}
    parts |= {("image", backbone): row for backbone, row in two.iterrows()}
    return pd.DataFrame(parts).T.rename_axis(["inputs", "backbone"])


def table(found: pd.DataFrame, groups: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """The ten scores of each printed row whose answers are there (protocol, section 5, "A printed value").

    Parameters
    ----------
    found : one row per answer: ``backbone``, ``inputs``, ``round``, ``head``, ``image``, ``label``, ``predicted``.
    groups : of related images, int (n_images,).

    Returns
    -------
    One row per ``inputs``, ``backbone`` and ``score``: ``paper``; ``here``, the mean over trainings; the interval
    for one test set of 79 images, ``95 % low`` and ``95 % high``; number of ``trainings``.
    """
    columns = ["paper", "here", "95 % low", "95 % high", "trainings"]
    parts = {}
    for name, paper in printed().iterrows():
        part = found[(found["inputs"] == name[0]) & (found["backbone"] == name[1])]
        if part.empty:
            continue
        labels, predicted = part["label"].to_numpy(int), part["predicted"].to_numpy(int)
        trainings, of = part.groupby(["round", "head"]).ngroup().to_numpy(), groups[part["image"].to_numpy(int)]

        def scores(rows: np.ndarray, labels=labels, predicted=predicted) -> np.ndarray:
            return metrics.score_row(labels[rows], predicted[rows], len(CLASSES))

        each = np.array([scores(np.flatnonzero(trainings == one)) for one in np.unique(trainings)])
        here = pd.DataFrame(each).mean().to_numpy()
        low, high = statistics.prediction_interval(scores, of, trainings, N_TEST, seed=seed)
        values = zip(paper, here, low, high, [len(each)] * len(paper), strict=True)
        parts[name] = pd.DataFrame(values, paper.index, columns)
    return pd.concat(parts, names=["inputs", "backbone", "score"]) if parts else pd.DataFrame(columns=columns)
