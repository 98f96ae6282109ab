"""Paper against code: what each point is worth in which the two differ, or in which both miss the cure.

The points are those of the comparison of the paper with its public code; see ``README.md``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.core import rounds
from lib.data.record import ImageSet
from lib.data.splits import Split
from lib.evaluation import metrics as evaluation
from lib.evaluation import statistics as significance
from lib.experiments import input_ablation as ablation
from lib.two_stage import classification, segmentation


@dataclass(frozen=True)
class Variant:
    """One way to run the two stages."""

    segmenter: segmentation.Settings = field(default_factory=segmentation.Settings)
    classifier: classification.Settings = field(default_factory=classification.Settings)
    masks: str = "union"  # that stage 1 learns: of all mask files, or the first only
    inputs: str = "image+mask"


BASE = "base"
ALL_AS_CODE = "all as in the code"
# Name, what the base has, what the switch sets.
SWITCHES = (
    ("kept epoch", "best on validation (paper)", "last (code)"),
    ("decoder dropout", "in every block (paper)", "none: dead code (code)"),
    ("several lesions", "union of all masks", "first mask only (code)"),
    ("preprocessing", "raw [0, 1] (code)", "the backbone's own"),
    ("features", "flattened (code)", "pooled"),
    ("stage 2 learns from", "masks of the U-Net's own training images (both)", "out-of-fold masks (the remedy)"),
)


def variants(base: Variant) -> dict[str, Variant]:
    """The base, each switch of :data:`SWITCHES` alone, and the authors' code as a whole."""
    segmenter, classifier = base.segmenter, base.classifier
    last, dead = replace(segmenter, keep="last"), replace(segmenter, decoder_dropout=False)
    code = replace(base, segmenter=replace(last, decoder_dropout=False), masks="first")
    alone = (
        replace(base, segmenter=last),
        replace(base, segmenter=dead),
        replace(base, masks="first"),
        replace(base, classifier=replace(classifier, preprocessing="own")),
        replace(base, classifier=replace(classifier, features="pooled")),
        replace(base, inputs=ablation.OUT_OF_FOLD),
    )
    return {BASE: base, **{name: one for (name, *_), one in zip(SWITCHES, alone, strict=True)}, ALL_AS_CODE: code}


def run(
    data: Mapping[str, ImageSet],
    split: Split,
    base: Variant,
    n_folds: int,
    seeds: Sequence[int],
    cache: Path,
    n_jobs: int = 0,
) -> pd.DataFrame:
    """Every variant with one U-Net and one head a seed.

    Parameters
    ----------
    data : the same images with their ``"union"`` and ``"first"`` masks.
    n_folds : of the cross-fitting.
    seeds : of the heads; the first one draws the U-Net as well.

    Returns
    -------
    One row a variant: ``dice validation`` and ``dice test`` (mean over lesions, against the union of
    all masks), ``accuracy`` (one test accuracy a head), ``right`` (n_heads, n_test), ``error``.
    """
    jobs = [{"name": name, "variant": variant} for name, variant in variants(base).items()]
    common = {"data": dict(data), "split": split, "n_folds": n_folds, "seeds": list(seeds), "cache": cache}
    digests = {name: one.digest for name, one in data.items()}
    split_digest = split.digest(data["union"].names)
    key = {"step": "switch", "data": digests, "split": split_digest, "folds": n_folds, "seeds": list(seeds)}
    return rounds.run(_one, jobs, common, key, cache / "rounds", n_jobs, ("lib.experiments.input_ablation",)).drop(
        columns="variant"
    )


def _one(data, split, n_folds, seeds, cache, name, variant) -> dict:
    union = data["union"]
    folds = n_folds if variant.inputs == ablation.OUT_OF_FOLD else 0
    drawn = ablation.draw_masks(data[variant.masks], split, variant.segmenter, seeds[0], folds, cache)
    answers = [
        ablation.score_input(union, drawn, split, variant.classifier, variant.inputs, seed, cache, seeds[0])
        for seed in seeds
    ]
    right = [np.argmax(answer["probabilities"], axis=1) == union.labels[split.test] for answer in answers]
    dice = {}
    for part in ("validation", "test"):
        chosen = split.parts()[part]
        scores = evaluation.mask_scores(union.masks[chosen], drawn["predicted"][chosen])
        dice[f"dice {part}"] = float(scores.dice[scores.kind == evaluation.LESION].mean())
    return {**dice, "accuracy": [answer["accuracy"] for answer in answers], "right": np.array(right, int).tolist()}


def table(answers: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """What each switch is worth: Dice, accuracy, and its difference from the base with a bootstrap interval.

    The interval is over test images; a difference between two U-Nets carries the luck of their
    trainings besides.
    """
    done = answers[answers.error == ""].set_index("name")
    base = np.array(done.right[BASE], float)
    images = np.tile(np.arange(base.shape[1]), base.shape[0])
    texts = {name: (was, becomes) for name, was, becomes in SWITCHES}
    rows = {}
    for name, row in done.iterrows():
        right = np.array(row.right, float)
        bounds = significance.mean_bootstrap((right - base).ravel(), images, seed=seed)
        was, becomes = texts.get(name, ("", ""))
        rows[name] = {
            "base has": was,
            "switched to": becomes,
            "dice validation": row["dice validation"],
            "dice test": row["dice test"],
            "accuracy": right.mean(),
            "sd": np.std(row.accuracy, ddof=1),
            "difference": right.mean() - base.mean(),
            "95 % low": bounds.low,
            "95 % high": bounds.high,
        }
    return pd.DataFrame(rows).T.infer_objects()
