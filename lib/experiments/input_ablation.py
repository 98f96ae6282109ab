"""Table I: what each input of stage 2 is worth, on the same images with the same heads (paper A, IV-B)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.data.image_statistics import image_statistics
from lib.evaluation import metrics, paired, statistics
from lib.experiments.mask_quality import mean_and_sd
from lib.experiments.paper_a import BACKBONES, INPUTS, ORACLE, OUT_OF_FOLD, STACKED, Plan

PAIRS = (
    ("image+mask", "image"),
    ("mask", "image"),
    ("image+mask", "mask"),
    (OUT_OF_FOLD, "image"),
    (OUT_OF_FOLD, "image+mask"),
    (ORACLE, "image"),
)
HOLD_OUT = 79  # test images of the paper
_COMPARED = ["difference", "95 % low", "95 % high", "p", "only first", "only second", "p McNemar", "images", "rounds"]
_ANSWER = ["backbone", "inputs", "round", "head", "image"]


def planned(profile: Profile, seed: int = 0) -> list[Job]:
    """The jobs of Table I in order of value."""
    plan = Plan(profile, seed)
    out_of_fold = [*plan.fold_unets(), *(plan.out_of_fold_heads(name) for name in plan.backbones)]
    by_round = [[plan.unet(one), *(plan.heads(one, name) for name in plan.backbones)] for one in plan.rounds]
    by_round.insert(1, out_of_fold)  # of round 0
    scores = [plan.mask_scores(one, part) for part in ("test", "validation") for one in plan.rounds]
    scores += [plan.mask_scores(plan.rounds[0], "train"), plan.groups()]
    scores += [image_statistics(data=source) for source in plan.versions().values()]
    once = [plan.unet_trial({}), plan.head_trial({}), *plan.balanced_heads().values(), plan.times()]
    return [*(job for jobs in by_round for job in jobs), *scores, *once]


def answers(plan: Plan, results: Mapping[tuple[str, int], Result], inputs: Sequence[str] = STACKED) -> pd.DataFrame:
    """The answers of :meth:`Plan.heads` on test images; results that are missing have no rows.

    Parameters
    ----------
    results : by backbone and number of the round.

    Returns
    -------
    One row per answer: ``backbone``, ``inputs``, ``round``, ``head``, ``image`` (index), ``label``, ``predicted``.
    """
    parts = []
    for (backbone, number), result in results.items():
        if result:
            predicted = result["test"].argmax(axis=-1)
            heads, test = range(predicted.shape[1]), plan.rounds[number].split.test
            index = pd.MultiIndex.from_product([[backbone], inputs, [number], heads, test], names=_ANSWER)
            parts.append(pd.DataFrame({"predicted": predicted.ravel()}, index).reset_index())
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*_ANSWER, "predicted"])
    # An empty frame has no types of its own, and would take those of whatever it is put beside.
    frame = frame.astype(dict.fromkeys(("round", "head", "image", "predicted"), int))
    return frame.assign(label=plan.labels[frame["image"]])


def scores(found: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The ten columns of Tables I and II for each training: backbone, inputs, round and head."""
    rows = {
        key: metrics.table_row(part["label"].to_numpy(), part["predicted"].to_numpy(), tuple(classes))
        for key, part in found.groupby(_ANSWER[:4], sort=False)
    }
    return _by(rows, _ANSWER[:4], metrics.table_row(np.zeros(1, int), np.zeros(1, int), tuple(classes)).index)


def _by(rows: Mapping[tuple, Any], names: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Rows by several names, of which there may be none."""
    index = pd.MultiIndex.from_tuples(rows, names=names) if rows else pd.MultiIndex.from_product([[]] * len(names))
    return pd.DataFrame(list(rows.values()), index.set_names(names), columns=columns)


def over_rounds(scored: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over rounds of the means over heads, as text, and the number of ``rounds``."""
    rounds = scored.groupby(["inputs", "backbone", "round"], sort=False).mean()
    by_row = rounds.groupby(["inputs", "backbone"], sort=False)
    return mean_and_sd(by_row).assign(rounds=by_row.size().astype("Int64"))


def table_1(scored: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """Table I: for each input the paper's row, then one row per backbone.

    Parameters
    ----------
    scored : of :func:`scores`.
    printed : of :func:`lib.reported.two_stage.table_i`.
    """
    paper = printed.map("{:.3f}".format)
    paper.index = pd.MultiIndex.from_product([paper.index, ["paper (DenseNet201)"]], names=["inputs", "backbone"])
    both = pd.concat([paper, over_rounds(scored)])
    return both.sort_index(level="inputs", key=lambda level: level.map(INPUTS.index), sort_remaining=False)


def hold_outs(found: pd.DataFrame, printed: pd.DataFrame, groups: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Each printed score of one hold-out of 79 images beside the interval in which ours would lie on such a one.

    Parameters
    ----------
    found : of :func:`answers`.
    printed : a table of :mod:`lib.reported.two_stage`, by inputs or by backbone.
    groups : of related images, int (n_images,).

    Returns
    -------
    By inputs, backbone and score: ``paper``, ``here`` (mean over rounds and heads), and the 95 % prediction interval.
    """
    parts = [pd.DataFrame(columns=["inputs", "backbone", "score", "paper", "here", "95 % low", "95 % high", "rounds"])]
    for (inputs, backbone), part in found.groupby(["inputs", "backbone"], sort=False):
        paper = next((printed.loc[name] for name in (inputs, backbone) if name in printed.index), None)
        if paper is not None:
            label, predicted = part["label"].to_numpy(), part["predicted"].to_numpy()
            training = part.groupby(["round", "head"]).ngroup().to_numpy()
            low, high = statistics.prediction_interval(
                lambda chosen, label=label, predicted=predicted: metrics.score_row(
                    label[chosen], predicted[chosen], len(classes)
                ),
                groups[part["image"].to_numpy(int)],
                training,
                HOLD_OUT,
            )
            here = scores(part, classes).mean().to_numpy()
            rows = {"score": paper.index, "paper": paper.to_numpy(), "here": here, "95 % low": low, "95 % high": high}
            rows["rounds"] = part["round"].nunique()
            parts.append(pd.DataFrame({"inputs": inputs, "backbone": backbone, **rows}))
    return pd.concat(parts[1:] or parts).set_index(["inputs", "backbone", "score"])


def differences(found: pd.DataFrame, groups: np.ndarray, pairs: Sequence[tuple[str, str]] = PAIRS) -> pd.DataFrame:
    """Paired differences in accuracy between inputs, for each backbone and for all of the first primary endpoint.

    Parameters
    ----------
    found : of :func:`answers`.
    groups : of related images, int (n_images,).

    Returns
    -------
    Rows of :func:`lib.evaluation.paired.compare` by pair and backbone; the row ``all`` of image+mask over image
    is the first primary endpoint if all its rounds and backbones are there.
    """
    right = found.assign(right=found["label"] == found["predicted"])
    wide = right.pivot_table("right", ["backbone", "round", "head", "image"], "inputs", sort=False)
    rows = {}
    for first, second in pairs:
        both = wide.reindex(columns=[first, second]).dropna()
        names = both.index.get_level_values("backbone")
        for name in (*dict.fromkeys(names), "all"):
            part = both[names.isin(BACKBONES) if name == "all" else names == name]
            if len(part):
                a, b = part[first].to_numpy(bool), part[second].to_numpy(bool)
                training = part.groupby(["backbone", "head"]).ngroup()
                image, number = (part.index.get_level_values(level) for level in ("image", "round"))
                rows[f"{first} – {second}", name] = paired.compare(a, b, groups[image], number, training)
    return _by(rows, ["pair", "backbone"], _COMPARED)


def primary_in_words(compared: pd.DataFrame, printed: pd.Series, complete: bool) -> str:
    """The protocol's verdict on the first primary endpoint, from :func:`differences` and the printed accuracies."""
    key = "image+mask – image", "all"
    if key not in compared.index:
        return "P1: not tested yet."
    row, gain = compared.loc[key], printed["image+mask"] - printed["image"]
    verdict = statistics.verdict_difference(row["95 % low"], row["95 % high"], gain)
    state = "" if complete else " (interim: the plan is not complete)"
    return f"P1: {row['difference']:+.4f}; printed {gain:+.4f}: {verdict}{state}."


def gains(scored: pd.DataFrame, of: str = "image+mask", over: str = "image") -> pd.DataFrame:
    """Accuracy with one input less that with another, means over heads: a row per round, a column per backbone."""
    of, over = (scored[scored.index.get_level_values("inputs") == name]["accuracy"] for name in (of, over))
    gain = of.groupby(["round", "backbone"]).mean() - over.groupby(["round", "backbone"]).mean()
    order = of.index.get_level_values("backbone").unique()
    return gain.unstack("backbone").reindex(columns=order)  # noqa: PD010 a Series has no pivot_table


def malignant_as_normal(found: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """How often malignant test images are called normal, over all rounds and heads, by input and backbone.

    ``without``: trainings in which it never happens; the backbone ``all`` has those of every backbone.
    """
    normal, malignant = (list(classes).index(name) for name in ("normal", "malignant"))
    images = found[found["label"] == malignant].assign(missed=lambda part: part["predicted"] == normal)
    trainings = images.groupby([*_ANSWER[:4]], sort=False)["missed"].agg(["sum", "size"]).reset_index()
    rows = pd.concat([trainings, trainings.assign(backbone="all")]).groupby(["inputs", "backbone"], sort=False)
    return rows.agg(
        **{"called normal": ("sum", "sum"), "malignant answers": ("size", "sum"), "trainings": ("sum", "size")},
        without=("sum", lambda sums: (sums == 0).sum()),
    )


def validation(plan: Plan, unets: Sequence[Result], heads: Mapping[tuple[str, int], Result]) -> pd.DataFrame:
    """What the paper prints of validation data (IV-B), here as mean over rounds with its 95 % interval.

    Returns
    -------
    One row per quantity and network: ``here``, its interval, ``rounds``.  Accuracies belong to image+mask; the
    best round is taken for each head by itself, and then averaged over heads.
    """
    losses = [min(result["history"]["val_bce"]) for result in unets if result]
    rows = {("validation loss of the U-Net, mean of 10 rounds", "U-Net"): _mean(losses)} if losses else {}
    kind = STACKED.index("image+mask")
    for name in plan.backbones:
        best = [one["val_accuracy"].max(axis=0)[kind] for (own, _), one in heads.items() if one and own == name]
        if best:
            rows["validation accuracy, mean of 10 rounds", name] = _mean(np.mean(best, axis=1))
            rows["validation accuracy, best round", name] = {"here": np.max(best, axis=0).mean(), "rounds": len(best)}
    frame = _by(rows, ["quantity", "network"], ["here", "95 % low", "95 % high", "rounds"])
    return frame.sort_index(level="quantity", sort_remaining=False)


def _mean(values: Sequence[float]) -> dict[str, float]:
    low, high = statistics.mean_interval(np.asarray(values, float))
    return {"here": np.mean(values), "95 % low": low, "95 % high": high, "rounds": len(values)}


def clusters(result: Result, n: int) -> np.ndarray:
    """Groups of related images by :func:`lib.data.near_duplicates.groups_job`; until it is done, each image alone."""
    return result["groups"] if result else np.arange(n)


def progress(results: Iterable[Result]) -> str:
    """How much of a plan is done, for captions: for example ``7 of 10 trainings``."""
    done = [bool(result) for result in results]
    return f"{sum(done)} of {len(done)} trainings"
