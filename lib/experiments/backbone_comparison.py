"""Table II: thirteen ImageNet networks as backbones, with one head and one training for all (paper A, IV-C)."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib.core import rounds
from lib.data.record import ImageSet
from lib.evaluation import statistics as significance
from lib.experiments import input_ablation as ablation
from lib.models import backbones, cost
from lib.two_stage import classification, segmentation

_TIMED = 16  # images
_JOB = ("backbone", "preprocessing", "inputs")


def costs(names: Iterable[str], size: int, folder: Path) -> pd.DataFrame:
    """What each backbone costs at ``size`` × ``size`` pixels, its weights present or not.

    Returns
    -------
    By backbone: ``parameters`` without the top, ``multiply-adds`` and ``ms`` an image (warm, in a
    batch of 16; of this machine at the time of the call), ``features`` (length of the flattened map).
    """
    jobs = [{"backbone": name} for name in names]
    answers = rounds.run(_cost, jobs, {"size": size}, {"step": "cost", "size": size}, folder, code=("lib.models.cost",))
    if (answers.error != "").any():
        raise RuntimeError(f"costs: {answers.loc[answers.error != '', ['backbone', 'error']].to_dict('records')}")
    return answers.set_index("backbone").drop(columns=["seconds", "error"])


def _cost(size: int, backbone: str) -> dict:
    network = backbones.BACKBONES[backbone].builder(include_top=False, weights=None, input_shape=(size, size, 3))
    images = np.zeros((_TIMED, size, size, 3), np.float32)
    network.predict(images, batch_size=_TIMED, verbose=0)
    began = time.perf_counter()
    network.predict(images, batch_size=_TIMED, verbose=0)
    seconds = time.perf_counter() - began
    answer = {
        "parameters": network.count_params(),
        "multiply-adds": cost.multiply_adds(network),
        "features": int(np.prod(network.output_shape[1:])),
        "ms": 1000 * seconds / _TIMED,
    }
    keras.utils.clear_session()
    return answer


def run(
    data: ImageSet,
    segmenter: segmentation.Settings,
    classifier: classification.Settings,
    names: Sequence[str],
    variants: Sequence[tuple[str, str]],
    repetitions: Sequence[ablation.Round],
    n_folds: int,
    cache: Path,
    n_jobs: int = 0,
) -> pd.DataFrame:
    """Every backbone, preprocessing and input in every round, with the same splits, masks and heads for all.

    Parameters
    ----------
    segmenter : stage 1; its masks come from the cache if :func:`lib.experiments.input_ablation.run` has drawn them.
    classifier : of stage 2; backbone, preprocessing and inputs are replaced.
    variants : preprocessing and input of each row of a backbone.
    repetitions : of :func:`lib.experiments.input_ablation.plan`.
    n_folds : of the cross-fitting of out-of-fold masks.

    Returns
    -------
    One row a backbone, preprocessing and input, with one value a round in each list: ``accuracy``,
    ``validation``, ``right`` (n_rounds, n_test) of the images ``test``; ``weights``, ``seconds``, and
    ``error``: a backbone without weights, say, which spoils no other row.
    """
    common = {
        "data": data,
        "segmenter": segmenter,
        "classifier": classifier,
        "repetitions": list(repetitions),
        "n_folds": n_folds,
        "cache": cache,
    }
    key = {
        "step": "baseline",
        "data": data.digest,
        "segmenter": segmenter,
        "classifier": classifier,
        "rounds": [vars(repetition) for repetition in repetitions],
        "folds": n_folds,
        "weights": {name: backbones.weights_id(name, classifier.weights) for name in names},
    }

    def answers(some_names: Sequence[str], some_variants: Sequence[tuple[str, str]]) -> pd.DataFrame:
        jobs = [dict(zip(_JOB, (name, *variant), strict=True)) for name in some_names for variant in some_variants]
        return rounds.run(_one, jobs, common, key, cache / "rounds", n_jobs, ("lib.experiments.input_ablation",))

    # A backbone without weights is asked for them once, not once a variant.
    first = answers(names, variants[:1])
    usable = list(first.backbone[first.error == ""])
    order = {name: index for index, name in enumerate(names)}
    both = pd.concat([first, answers(usable, variants[1:])], ignore_index=True)
    return both.sort_values("backbone", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def _one(data, segmenter, classifier, repetitions, n_folds, cache, backbone, preprocessing, inputs) -> dict:
    settings = replace(classifier, backbone=backbone, preprocessing=preprocessing)
    answers = [ablation.one_round(data, segmenter, settings, n_folds, cache, one, inputs) for one in repetitions]
    found = {name: [answer[name] for answer in answers] for name in ("accuracy", "validation", "test")}
    said = [np.argmax(answer["probabilities"], axis=1) for answer in answers]
    found["right"] = [(one == data.labels[test]).tolist() for one, test in zip(said, found["test"], strict=True)]
    return {**found, "weights": backbones.weights_id(backbone, settings.weights, repetitions[0].split_seed)}


def table(answers: pd.DataFrame, reported: pd.Series, cost_table: pd.DataFrame) -> pd.DataFrame:
    """Table II: printed accuracy, then mean ± standard deviation for each preprocessing and input, then costs.

    A backbone that could not be run has empty accuracies, and says why under ``weights``.
    """
    result = pd.DataFrame({"reported": reported.reindex(answers.backbone.unique())})
    for (preprocessing, inputs), rows in answers.groupby(["preprocessing", "inputs"], sort=False):
        scores = rows.set_index("backbone").get("accuracy", pd.Series(dtype=object)).dropna()
        result[f"{inputs}, {preprocessing}"] = scores.map(np.mean).astype(float)
        result[f"{inputs}, {preprocessing} sd"] = scores.map(lambda values: np.std(values, ddof=1)).astype(float)
    result = result.join(cost_table)
    first = answers.drop_duplicates("backbone").set_index("backbone")
    weights = first.get("weights", pd.Series(index=first.index, dtype=object))
    result["weights"] = weights.where(first.error == "", "not run: " + first.error)
    return result


def gains(answers: pd.DataFrame, of: str, over: str) -> pd.DataFrame:
    """What input ``of`` adds to input ``over``: mean difference over rounds, one row a backbone and preprocessing."""
    done = answers[answers.error == ""]
    if done.empty:
        return pd.DataFrame(columns=[over, of, "gain"])
    means = done.assign(accuracy=done.accuracy.map(np.mean)).pivot_table(
        index=["backbone", "preprocessing"], columns="inputs", values="accuracy", sort=False
    )
    return means[[over, of]].assign(gain=means[of] - means[over]).dropna()


def compare(answers: pd.DataFrame, of: Sequence[str], over: str, seed: int = 0) -> pd.DataFrame:
    """What each input of ``of`` adds to ``over`` in each backbone, and pooled over all of them.

    Returns
    -------
    By pair of inputs and backbone (``all``: every backbone and preprocessing): ``difference`` in accuracy,
    its 95 % bootstrap interval over test images (each drawn with all its answers), the number of
    ``images``, and ``answers`` an input has on them.
    """
    done = answers[answers.error == ""].set_index(["backbone", "preprocessing", "inputs"])
    right = {key: np.concatenate(row.right).astype(float) for key, row in done.iterrows()}
    images = {key: np.concatenate(row.test) for key, row in done.iterrows()}
    rows = {}
    for name in of:
        pairs = [(key, (*key[:2], over)) for key in right if key[2] == name]
        for backbone in (*dict.fromkeys(key[0] for key, _ in pairs), "all") if pairs else ():
            chosen = [pair for pair in pairs if backbone in (pair[0][0], "all")]
            differences = np.concatenate([right[first] - right[second] for first, second in chosen])
            drawn = np.concatenate([images[first] for first, _ in chosen])
            bounds = significance.mean_bootstrap(differences, drawn, seed=seed)
            rows[f"{name} – {over}", backbone] = {
                "difference": bounds.estimate,
                "95 % low": bounds.low,
                "95 % high": bounds.high,
                "images": len(np.unique(drawn)),
                "answers": len(differences),
            }
    columns = ["difference", "95 % low", "95 % high", "images", "answers"]
    index = pd.MultiIndex.from_tuples(list(rows), names=["pair", "backbone"]) if rows else None
    return pd.DataFrame(list(rows.values()), index, columns)
