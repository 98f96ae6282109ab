"""Table I: what each input of stage 2 is worth, on the same images with the same heads (paper A, IV-B)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.core import artifacts, rounds
from lib.core.config import check_choice
from lib.data import splits
from lib.data.record import ImageSet
from lib.data.splits import Split
from lib.evaluation import metrics as evaluation
from lib.two_stage import classification, crossfit, segmentation

# The oracle's mask is empty exactly for normal images, so its input holds the label: a bound, no result.
ORACLE = "image+true mask"
# Stage 2 is trained on masks that were drawn by networks which had not seen the image; the validation
# and test masks are the same as for image+mask.
OUT_OF_FOLD = "image+out-of-fold mask"
INPUTS = ("image", "mask", "image+mask", OUT_OF_FOLD, ORACLE)
SPLITS = ("shared", "new")


@dataclass(frozen=True)
class Round:
    """What distinguishes one repetition: its split, its U-Net and its head are each drawn from a seed."""

    number: int
    split_seed: int
    unet_seed: int
    head_seed: int


def plan(n_rounds: int, n_unets: int, seed: int, split: str = "shared") -> list[Round]:
    """The rounds of a comparison.

    Parameters
    ----------
    n_unets : trainings of stage 1 that the rounds use in turn; the paper trains one a round.
    split : ``"shared"`` by all rounds, as in the paper, or a ``"new"`` one for each U-Net.
    """
    check_choice("split", split, SPLITS)
    if n_rounds < 1 or n_unets < 1:
        raise ValueError(f"at least one round and one U-Net are needed, not {n_rounds} and {n_unets}")
    unets = [seed + number % n_unets for number in range(n_rounds)]
    return [Round(number, unet if split == "new" else seed, unet, seed + number) for number, unet in enumerate(unets)]


def in_words(repetitions: Sequence[Round]) -> str:
    """How many rounds, trainings of stage 1 and splits a comparison has: for captions."""
    n_unets, n_splits = (len({getattr(one, name) for one in repetitions}) for name in ("unet_seed", "split_seed"))
    return f"{len(repetitions)} rounds, {n_unets} training(s) of stage 1, {n_splits} split(s)"


def draw_masks(
    data: ImageSet,
    split: Split,
    settings: segmentation.Settings,
    seed: int,
    n_folds: int = 0,
    cache: Path | None = None,
    verbose: bool = False,
) -> dict[str, np.ndarray]:
    """Masks of all images by stage 1, float32 (n, height, width, 1) in [0, 1].

    ``"predicted"``: by one network trained on ``split.train``, that part's own images included, as in
    the paper.  With ``n_folds``, ``"out-of-fold"`` too: the training part's masks come from
    :func:`lib.two_stage.crossfit.out_of_fold_masks`, the others are the same.
    """
    code = ("lib.two_stage.crossfit",)
    parts = {part: indices.tolist() for part, indices in split.parts().items() if part != "test"}
    key = {"step": "masks", "data": data.digest, **parts, "settings": settings, "seed": seed}

    def predicted() -> np.ndarray:
        model, _ = segmentation.train(data, split, settings, seed, cache, verbose)
        return segmentation.predict(model, data.images)

    def out_of_fold() -> np.ndarray:
        return crossfit.out_of_fold_masks(data, split.train, settings, n_folds, seed, cache)

    drawn = {"predicted": artifacts.cached(key, predicted, cache, code) if cache else predicted()}
    if n_folds:
        masks = drawn["predicted"].copy()
        key = {**key, "out of fold": n_folds}
        masks[split.train] = artifacts.cached(key, out_of_fold, cache, code) if cache else out_of_fold()
        drawn["out-of-fold"] = masks
    return drawn


def score_input(
    data: ImageSet,
    drawn: Mapping[str, np.ndarray],
    split: Split,
    settings: classification.Settings,
    inputs: str,
    seed: int,
    cache: Path | None = None,
    backbone_seed: int = 0,
) -> dict:
    """One head on one of :data:`INPUTS`.

    Parameters
    ----------
    drawn : masks as :func:`draw_masks` returns them.
    settings : of stage 2; ``settings.inputs`` is replaced.
    seed : of the head.

    Returns
    -------
    ``validation`` and ``accuracy`` (of the test part), and ``probabilities`` of the test images, a
    list (n_test, n_classes).
    """
    check_choice("inputs", inputs, INPUTS)
    chosen = replace(settings, inputs=inputs if inputs in classification.INPUTS else "image+mask")
    masks = {ORACLE: data.masks, OUT_OF_FOLD: drawn.get("out-of-fold")}.get(inputs, drawn.get("predicted"))
    x = classification.features(data.images, masks, chosen, cache, backbone_seed)
    said = classification.head_rounds(x, data.labels, len(data.classes), split, chosen, [seed], cache)[0]
    right = said.argmax(axis=1) == data.labels
    return {
        "validation": float(right[split.validation].mean()),
        "accuracy": float(right[split.test].mean()),
        "probabilities": said[split.test].round(6).tolist(),
    }


def run(
    data: ImageSet,
    segmenter: segmentation.Settings,
    classifier: classification.Settings,
    repetitions: Iterable[Round],
    inputs: Iterable[str],
    n_folds: int,
    cache: Path,
    n_jobs: int = 0,
) -> pd.DataFrame:
    """Every input in every round, resumable (see :func:`lib.core.rounds.run`).

    Returns
    -------
    One row a round and input: ``number``, the seeds, ``inputs``, what :func:`score_input` returns,
    ``test`` (indices of the test images), ``seconds`` and ``error``.
    """
    jobs = [{**vars(repetition), "inputs": name} for repetition in repetitions for name in inputs]
    common = {
        "data": data,
        "segmenter": segmenter,
        "classifier": classifier,
        "n_folds": n_folds,
        "cache": cache,
    }
    key = {"step": "ablation", "data": data.digest, "segmenter": segmenter, "classifier": classifier, "folds": n_folds}
    return rounds.run(_job, jobs, common, key, cache / "rounds", n_jobs, ("lib.experiments.input_ablation",))


def one_round(
    data: ImageSet,
    segmenter: segmentation.Settings,
    classifier: classification.Settings,
    n_folds: int,
    cache: Path,
    repetition: Round,
    inputs: str,
) -> dict:
    """One input in one round: what :func:`score_input` returns, and ``test``, the indices of the test images."""
    split = splits.stratified(data.labels, repetition.split_seed)
    drawn = {}
    if inputs not in ("image", ORACLE):
        folds = n_folds if inputs == OUT_OF_FOLD else 0
        drawn = draw_masks(data, split, segmenter, repetition.unet_seed, folds, cache)
    answer = score_input(data, drawn, split, classifier, inputs, repetition.head_seed, cache, repetition.split_seed)
    return {**answer, "test": split.test.tolist()}


def _job(data, segmenter, classifier, n_folds, cache, inputs, **repetition) -> dict:
    return one_round(data, segmenter, classifier, n_folds, cache, Round(**repetition), inputs)


def by_mask_quality(
    data: ImageSet,
    sources: Mapping[str, np.ndarray | None],
    split: Split,
    settings: classification.Settings,
    seeds: Iterable[int],
    cache: Path | None = None,
    backbone_seed: int = 0,
) -> pd.DataFrame:
    """What stage 2 makes of better and worse masks.

    Parameters
    ----------
    sources : masks of all images by name; None for no mask: the image alone.

    Returns
    -------
    One row a source and head: ``masks``, ``dice`` (mean over the test part's lesions; 0 without masks),
    ``seed``, ``accuracy`` of the test part.
    """
    rows = []
    for name, masks in sources.items():
        dice = 0.0
        if masks is not None:
            scores = evaluation.mask_scores(data.masks[split.test], masks[split.test])
            dice = float(scores.dice[scores.kind == evaluation.LESION].mean())
        inputs = "image" if masks is None else "image+mask"
        for seed in seeds:
            answer = score_input(data, {"predicted": masks}, split, settings, inputs, seed, cache, backbone_seed)
            rows.append({"masks": name, "dice": dice, "seed": seed, "accuracy": answer["accuracy"]})
    return pd.DataFrame(rows)


def blends(predicted: np.ndarray, truth: np.ndarray, shares: Iterable[float]) -> dict[str, np.ndarray]:
    """Predicted masks with a share of the truth mixed in: what masks between the two would bring.

    They hold part of the label, as the oracle does: bounds, no results.
    """
    return {f"{share:.0%} truth": (share * truth + (1 - share) * predicted) for share in shares}
