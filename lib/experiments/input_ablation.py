"""Table I: what each input of stage 2 is worth, on the same images with the same heads (paper A, IV-B)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from lib.core import words
from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.data.image_statistics import image_statistics
from lib.evaluation import metrics, paired, statistics
from lib.experiments import frames
from lib.experiments.paper_a import BACKBONES, INPUTS, ORACLE, OUT_OF_FOLD, STACKED, Plan
from lib.reported import two_stage as reported

PAIRS = (
    ("image+mask", "image"),
    ("mask", "image"),
    ("image+mask", "mask"),
    (OUT_OF_FOLD, "image"),
    (OUT_OF_FOLD, "image+mask"),
    (ORACLE, "image"),
)
HOLD_OUT = 79  # test images of the paper
_ROW = ["inputs", "backbone"]
_TRAINING = ["backbone", "inputs", "round", "head"]
_ANSWER = {"backbone": str, "inputs": str, "round": int, "head": int, "image": int}
_ANSWER |= {"predicted": int, "probability": float, "label": int}


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


def answers(
    plan: Plan, results: Mapping[tuple[str, int], Result], inputs: Sequence[str] = STACKED, part: str = "test"
) -> pd.DataFrame:
    """The answers of :meth:`Plan.heads` on a part's images; results that are missing have no rows.

    Parameters
    ----------
    results : by backbone and number of the round.

    Returns
    -------
    One row per answer: ``backbone``, ``inputs``, ``round``, ``head``, ``image`` (index), ``label``, ``predicted``
    and its ``probability``.
    """
    found = []
    for (backbone, number), result in results.items():
        if result:
            p, images = result[part], plan.rounds[number].split.parts()[part]
            parts = [[backbone], inputs, [number], range(p.shape[1]), images]
            index = pd.MultiIndex.from_product(parts, names=[*_TRAINING, "image"])
            values = {"predicted": p.argmax(axis=-1).ravel(), "probability": p.max(axis=-1).ravel()}
            frame = pd.DataFrame(values, index).reset_index()
            found.append(frame.assign(label=plan.labels[frame["image"]]))
    return frames.stacked(found, _ANSWER)


def scores(found: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """The ten columns of Tables I and II for each training: backbone, inputs, round and head."""
    rows = {
        training: metrics.table_row(part["label"], part["predicted"], classes)
        for training, part in found.groupby(_TRAINING, sort=False)
    }
    return frames.of_rows(rows, _TRAINING, reported.table_i().columns)


def by_round(scored: pd.DataFrame) -> pd.DataFrame:
    """Means of :func:`scores` over heads, by inputs, backbone and round."""
    return scored.groupby([*_ROW, "round"], sort=False).mean()


def over_rounds(rounds: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over rounds as text such as ``0.643 ± 0.021``, and the number of ``rounds``."""
    rows = rounds.groupby(_ROW, sort=False)
    sd = rows.std().map(lambda value: "" if np.isnan(value) else f" ± {value:.3f}")
    return (rows.mean().map("{:.3f}".format, na_action="ignore") + sd).assign(rounds=rows.size().astype("Int64"))


def table_1(rounds: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """Table I: for each input the paper's row, then one row per backbone.

    Parameters
    ----------
    rounds : of :func:`by_round`.
    printed : of :func:`lib.reported.two_stage.table_i`.
    """
    paper = printed.map("{:.4f}".format)
    paper.index = pd.MultiIndex.from_product([paper.index, [f"paper ({reported.BACKBONE})"]], names=_ROW)
    both = pd.concat([paper, over_rounds(rounds)])
    return both.sort_index(level="inputs", key=lambda level: level.map(INPUTS.index), sort_remaining=False)


def endpoint_in_words(compared: pd.DataFrame, printed: pd.DataFrame, complete: bool) -> str:
    """The first primary endpoint (P1) of :func:`differences` beside the printed gain, and its verdict."""
    if (name := ("image+mask – image", "all")) not in compared.index:
        return f"P1: {words.NO_RESULT}."
    row, gain = compared.loc[name], printed.loc["image+mask", "accuracy"] - printed.loc["image", "accuracy"]
    verdict = statistics.verdict_difference(row["95 % low"], row["95 % high"], gain)
    state = "" if complete else " (interim: the plan is not complete)"
    found = f"{words.number(row['difference'], '+.3f')} ({words.interval(row, '+.3f')})"
    return f"P1: {found}; printed {gain:+.3f}: {verdict}{state}."


def gains(rounds: pd.DataFrame) -> pd.DataFrame:
    """Accuracy with image and mask less that with the image alone: one row per round, one column per backbone."""
    accuracy = rounds["accuracy"].unstack("inputs").reindex(columns=STACKED)  # noqa: PD010 a Series has no pivot_table
    order = rounds.index.unique("backbone")
    return (accuracy["image+mask"] - accuracy["image"]).unstack("backbone").reindex(columns=order)  # noqa: PD010


def rounds_in_words(gain: pd.DataFrame) -> str:
    """The t intervals of the rounds' mean gain (:func:`gains`): exploratory, beside the protocol's bootstrap."""
    by_round = gain.mean(axis=1, skipna=False).dropna()
    lines = []
    for shared, kind in ((0, "as if independent"), (1 / 8, "corrected for shared training images")):
        low, high = (words.number(end, "+.3f") for end in statistics.mean_interval(by_round.to_numpy(), shared))
        lines.append(f"Mean gain of {len(by_round)} rounds, t interval {kind}: {low} to {high}.")
    return "\n".join(lines)


def hold_outs(found: pd.DataFrame, printed: pd.DataFrame, groups: np.ndarray, classes: tuple[str, ...]) -> pd.DataFrame:
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
    rows: dict[tuple, list[float]] = {}
    for names, part in found.groupby(_ROW, sort=False):
        label, predicted = part["label"].to_numpy(), part["predicted"].to_numpy()
        for name in printed.index.intersection(names):
            low, high = statistics.prediction_interval(
                lambda chosen, a=label, b=predicted: metrics.score_row(a[chosen], b[chosen]),  # type: ignore[misc]
                groups[part["image"]],
                part.groupby(["round", "head"]).ngroup().to_numpy(),
                HOLD_OUT,
            )
            here, n_rounds = scores(part, classes).mean(), part["round"].nunique()
            values = zip(here.index, printed.loc[name], here, low, high, strict=True)
            rows |= {(*names, score): [*row, n_rounds] for score, *row in values}
    return frames.of_rows(rows, [*_ROW, "score"], ["paper", "here", "95 % low", "95 % high", "rounds"])


def inside(table: pd.DataFrame) -> pd.DataFrame:
    """The accuracies of :func:`hold_outs`, and ``scores inside``: how many of a row's ten printed scores fit."""
    fits = statistics.fits(table["paper"], table["95 % low"], table["95 % high"]).groupby(level=_ROW, sort=False)
    accuracies = table[table.index.get_level_values("score") == "accuracy"].droplevel("score")
    return accuracies.assign(**{"scores inside": fits.agg(lambda one: f"{one.sum()} of {len(one)}")})


def inside_in_words(accuracies: pd.DataFrame) -> str:
    """In how many comparisons of :func:`inside` the printed accuracy lies in the interval, at its limit or outside."""
    fits = statistics.fits(accuracies["paper"], accuracies["95 % low"], accuracies["95 % high"])
    outside = "; ".join(map(", ".join, fits.index[~fits])) or "none"
    limits = accuracies[["95 % low", "95 % high"]].sub(accuracies["paper"], axis=0).abs().min(axis=1)
    return (
        f"In {fits.sum()} of {len(fits)} comparisons (of {accuracies['paper'].nunique()} printed accuracies) the "
        f"printed one lies inside, {(limits < 5e-5).sum()} times at the limit itself. Outside: {outside}."
    )


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
        both = wide.reindex(columns=[first, second]).dropna().astype(bool).set_axis(["a", "b"], axis=1).reset_index()
        both = pd.concat([both.assign(of=both["backbone"]), both[both["backbone"].isin(BACKBONES)].assign(of="all")])
        for name, part in both.groupby("of", sort=False):
            units = groups[part["image"]], part["round"], part.groupby(["backbone", "head"]).ngroup()
            rows[f"{first} – {second}", name] = paired.compare(part["a"], part["b"], *units)
    return frames.of_rows(rows, ["pair", "backbone"], paired.COLUMNS)


def malignant_as_normal(found: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """How often malignant test images are called normal, over all rounds and heads, by input and backbone.

    ``heads without a case``: those that never do so, in ``note`` in words; the backbone ``all`` has the heads of
    every backbone.
    """
    images = found[found["label"] == classes.index("malignant")]
    missed = (images["predicted"] == classes.index("normal")).rename("missed")
    trainings = missed.groupby([images[name] for name in _TRAINING], sort=False).agg(["sum", "size"]).reset_index()
    rows = pd.concat([trainings, trainings.assign(backbone="all")]).groupby(_ROW, sort=False)
    table = rows.agg(
        **{"called normal": ("sum", "sum"), "answers on malignant images": ("size", "sum"), "heads": ("sum", "size")},
        **{"heads without a case": ("sum", lambda sums: (sums == 0).sum()), "rounds": ("round", "nunique")},
    )
    without = table["heads without a case"].astype(str)
    return table.assign(note=without + " of " + table["heads"].astype(str) + " heads have no such case")


def validation(plan: Plan, unets: Sequence[Result], heads: Mapping[tuple[str, int], Result]) -> pd.DataFrame:
    """What the paper prints of validation data (IV-B), here as mean over rounds with its 95 % interval.

    Returns
    -------
    One row per quantity and network: ``here``, its interval, ``rounds``.  Accuracies belong to image+mask; the
    best round is taken for each head by itself, and then averaged over heads.
    """
    kind = STACKED.index("image+mask")
    best = pd.DataFrame({key: one["val_accuracy"].max(axis=0)[kind] for key, one in heads.items() if one}).T
    losses = [min(one["history"]["val_bce"]) for one in unets if one]
    rows = {("validation loss of the U-Net, mean of 10 rounds", "U-Net"): _mean(losses)} if losses else {}
    for name, by_head in best.groupby(level=0, sort=False):
        rows["validation accuracy, mean of 10 rounds", name] = _mean(by_head.mean(axis=1))
        rows["validation accuracy, best round", name] = [by_head.max().mean(), np.nan, np.nan, len(by_head)]
    frame = frames.of_rows(rows, ["quantity", "network"], ["here", "95 % low", "95 % high", "rounds"])
    return frame.sort_index(level="quantity", sort_remaining=False)


def _mean(values: Sequence[float]) -> list[float]:
    return [float(np.mean(values)), *statistics.mean_interval(np.asarray(values)), len(values)]


def clusters(result: Result, n: int) -> np.ndarray:
    """Groups of related images by :func:`lib.data.near_duplicates.groups_job`; until it is done, each image alone."""
    return result["groups"] if result else np.arange(n)


def progress(results: Iterable[Result]) -> str:
    """How much of a plan is done, for captions: for example ``7 of 10 trainings``."""
    done = [bool(result) for result in results]
    return f"{sum(done)} of {len(done)} trainings"
