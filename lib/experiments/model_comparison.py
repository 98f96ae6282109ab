"""The comparison of classifiers under grouped folds: scores, paired differences, ensembles, endpoints P2 and P3."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.core.run import Run
from lib.evaluation import metrics, paired, statistics
from lib.experiments import classifiers, mask_quality
from lib.experiments.grouped_cv import GroupedCV
from lib.experiments.paper_a import BACKBONES
from lib.reported import two_stage as reported

ENSEMBLE = "ensemble"  # of P3
GREEDY = "greedy ensemble selection"
ACCURACY_BOUND = 0.80  # of P3; published: 0.802 on Curated BUSI
_N_PICKS = 20
# Class probabilities out of fold by classifier, float32 (2, n_seeds, n, n_classes): of the models that are tested on
# an image, then of those that it validated; NaN where the training is not done or the image is in no fold.
Answers = Mapping[str, np.ndarray]


def planned(profile: Profile, seed: int) -> list[Job]:
    """Every job of the comparison in the order of its value: P2, P4, P3's members, the rest; then other partitions."""
    found: list[Job] = []
    for partition in range(profile.n_partitions):
        cv = GroupedCV.of(profile, seed, partition)
        known = by_name(cv)
        printed = [name for name in known if name.startswith(("image, ", classifiers.AS_PRINTED))]
        found += [job for name in printed for job in known[name]]
        found += mask_quality.scoring_jobs(cv).values()
        found += [job for name in classifiers.members(profile) for job in known[name]]
        if partition == 0:  # the others are for the spread of P2 to P4 alone
            leaky = by_name(GroupedCV.of(profile, seed, grouped=False))
            found += [job for name in known for job in known[name]]
            found += [job for name in printed for job in leaky[name]]
    return list(dict.fromkeys(found))


def by_name(cv: GroupedCV) -> dict[str, list[Job]]:
    """Each classifier's job of every fold."""
    folds = [classifiers.classifiers(cv, fold) for fold in range(cv.n_folds)]
    return {name: [fold[name] for fold in folds] for name in folds[0]}


def answers(run: Run, cv: GroupedCV, starts: tuple[str, ...] = ("",)) -> dict[str, np.ndarray]:
    """Class probabilities of the classifiers whose names begin so, as far as their trainings are done."""
    jobs = {name: one for name, one in by_name(cv).items() if name.startswith(starts)}
    found = {name: pool(cv, run.results(one), int(classifiers.AS_PRINTED in name)) for name, one in jobs.items()}
    return {name: one for name, one in found.items() if one is not None}


def pool(cv: GroupedCV, results: Iterable[Result], kind: int = 0) -> np.ndarray | None:
    """The answers of one result per fold, put together as in :data:`Answers`; None if no training is done.

    Parameters
    ----------
    kind : which kind of features, of heads that are trained on several.
    """
    pooled = None
    for fold, result in enumerate(results):
        for number, part in enumerate(("test", "validation") if result else ()):
            values = result[part][kind] if result[part].ndim == 4 else result[part]
            if pooled is None:
                pooled = np.full((2, len(values), len(cv.labels), values.shape[-1]), np.nan, np.float32)
            pooled[number, :, cv.split(fold).parts()[part]] = values.swapaxes(0, 1)
    return pooled


def with_ensembles(cv: GroupedCV, found: Answers) -> dict[str, np.ndarray]:
    """The answers, and those of both ensembles where their members are done, the seeds of each averaged first.

    :data:`ENSEMBLE` is the mean of all members of P3.
    """
    averaged = {name: one.mean(axis=1) for name, one in found.items()}
    names = classifiers.members(cv.profile)
    both = {}
    if set(names) <= set(found):
        both[ENSEMBLE] = np.mean([averaged[name] for name in names], axis=0)[:, None]
    if complete := [one for one in averaged.values() if not np.isnan(one[:, cv.folds >= 0]).any()]:
        both[GREEDY] = _greedy(cv, np.stack(complete, axis=1))[:, None]
    return {**found, **both}


def _greedy(cv: GroupedCV, models: np.ndarray) -> np.ndarray:
    """Members picked one by one, again if need be, for the least cross-entropy of each fold's validation fold.

    Greedy selection with replacement (Caruana et al. 2004), of models (2, n_models, n, n_classes).  The ensemble's
    probabilities of the validation fold are those it was picked by, and so a little too good.
    """
    mixed = np.full_like(models[:, 0], np.nan)
    for fold in range(cv.n_folds):
        split = cv.split(fold)
        validation, picks = models[1][:, split.validation], list[int]()
        for _ in range(_N_PICKS):
            mixtures = [validation[[*picks, one]].mean(axis=0) for one in range(len(validation))]
            losses = [log_loss(cv.labels[split.validation], p, labels=range(len(cv.classes))) for p in mixtures]
            picks.append(int(np.argmin(losses)))
        mixed[0, split.test] = models[0][picks][:, split.test].mean(axis=0)
        mixed[1, split.validation] = validation[picks].mean(axis=0)
    return mixed


def rights(cv: GroupedCV, found: Answers) -> pd.DataFrame:
    """Share of the seeds that are right about each image (rows), by classifier; NaN where it is not tested."""
    right = {}
    for name, both in found.items():
        test = _tested(name, both)
        right[name] = np.where(np.isnan(test[..., 0]), np.nan, test.argmax(axis=2) == cv.labels).mean(axis=0)
    return pd.DataFrame(right, range(len(cv.labels)))


def _tested(name: str, both: np.ndarray) -> np.ndarray:
    """Probabilities of the tested images, one part per seed; passes with dropout are one answer, their mean."""
    return both[0].mean(axis=0, keepdims=True) if name == classifiers.MC_DROPOUT else both[0]


def scores(cv: GroupedCV, test: np.ndarray) -> dict[str, float]:
    """Scores out of fold with 95 % intervals over groups, means over seeds.

    Parameters
    ----------
    test : class probabilities, float (n_seeds, n, n_classes); NaN where an image is not tested.

    Returns
    -------
    ``accuracy``, ``balanced accuracy``, ``macro F1`` and ``AUC malignant`` (DeLong for clustered data, limits
    averaged over seeds), each with ``low`` and ``high``; ``SD over seeds`` of the accuracy; ``images``.
    """
    done, n_classes = ~np.isnan(test).any(axis=(0, 2)), len(cv.classes)
    labels, groups, test = cv.labels[done], cv.groups[done], test[:, done]
    cells = np.eye(n_classes**2)[labels * n_classes + test.argmax(axis=2)].swapaxes(0, 1).reshape(len(labels), -1)
    bootstrap = statistics.mean_bootstrap(cells, groups, seed=cv.seed)
    matrices = np.vstack([bootstrap.estimate, bootstrap.replicates]).reshape(-1, len(test), n_classes, n_classes)
    hits, true, called = matrices.diagonal(axis1=2, axis2=3), matrices.sum(axis=3), matrices.sum(axis=2)
    with np.errstate(invalid="ignore"):
        # A resample without a class has no recall of it: undefined, and left out of the interval.
        recall, f1 = hits / true, np.where(true > 0, 2 * hits / (true + called), np.nan)
    values = {"accuracy": hits.sum(axis=2), "balanced accuracy": recall.mean(axis=2), "macro F1": f1.mean(axis=2)}
    row: dict[str, float] = {}
    for name, by_seed in values.items():
        mean = by_seed.mean(axis=1)
        low, high = statistics.limits(mean[1:])
        row |= {name: mean[0], f"{name} low": low, f"{name} high": high}
    auc = [statistics.delong_interval(labels == cv.positive, one[:, cv.positive], groups) for one in test]
    row |= dict(zip(("AUC malignant", "AUC malignant low", "AUC malignant high"), np.mean(auc, axis=0), strict=True))
    return {**row, "SD over seeds": pd.Series(values["accuracy"][0]).std(), "images": len(labels)}


def score_table(cv: GroupedCV, found: Answers) -> pd.DataFrame:
    """One row of :func:`scores` per classifier, and ``folds``."""
    right = rights(cv, found)
    rows = {name: {**scores(cv, _tested(name, one)), "folds": cv.done(right[name])} for name, one in found.items()}
    return pd.DataFrame(rows, None if rows else ["accuracy"]).T.infer_objects().rename_axis("model")


def references(cv: GroupedCV) -> pd.DataFrame:
    """``accuracy`` and ``macro F1`` of always answering the commonest class, and as printed, without and with mask."""
    labels = cv.labels[cv.folds >= 0]
    commonest = metrics.table_row(labels, np.full_like(labels, np.bincount(labels).argmax()), cv.classes)
    printed = reported.table_i().loc[["image", "image+mask"]].T
    printed.columns = [f"printed for {inputs}, random split" for inputs in ("image", "image + mask")]
    table = pd.concat([commonest.rename("majority class"), printed], axis=1).T
    return table[["accuracy"]].assign(**{"macro F1": table.filter(like="f1 ").mean(axis=1)})


def class_table(cv: GroupedCV, found: Answers) -> pd.DataFrame:
    """Precision, recall and F1 of each class, out of fold, means over seeds; one row per model."""
    rows = {}
    for name, one in found.items():
        test = _tested(name, one)
        done = ~np.isnan(test).any(axis=(0, 2))
        by_seed = [metrics.table_row(cv.labels[done], p[done].argmax(axis=1), cv.classes) for p in test]
        rows[name] = pd.DataFrame(by_seed).mean()
    return pd.DataFrame(rows).T


def differences(cv: GroupedCV, pairs: Mapping[Any, tuple[pd.Series, pd.Series]]) -> pd.DataFrame:
    """Differences of columns of :func:`rights`, image by image, with 95 % intervals and p over groups."""
    return paired.table(pairs, cv.groups, seed=cv.seed)[[*paired.DIFFERENCE, "images"]]


def against_image(cv: GroupedCV, right: pd.DataFrame) -> pd.DataFrame:
    """Each model against the image alone, in its own backbone where it names one; see :func:`differences`."""
    base = f"image, {classifiers.single_backbone(cv.profile)}"
    pairs = {}
    for name in right:
        other = f"image, {name.rpartition(', ')[2]}"
        other = other if other in right else base
        if name != other and other in right:
            pairs[f"{name} – {other}"] = (right[name], right[other])
    return differences(cv, pairs)


def mask_gain(cv: GroupedCV, right: pd.DataFrame, kind: str = classifiers.AS_PRINTED) -> pd.DataFrame:
    """Image and mask against the image alone, by backbone and on average: with the masks as printed, P2.

    Returns
    -------
    ``image``, ``with mask`` (accuracies), ``difference`` with interval and ``p``, ``images``, ``folds`` and,
    in the last row, the protocol's ``verdict``.
    """
    image, mask = both_inputs(cv, right, kind)
    if image.empty:
        return pd.DataFrame()
    done = (image + mask).notna()
    table = differences(cv, {("image+mask – image", name): (mask[name], image[name]) for name in image})
    table.insert(0, "image", image[done].mean().to_numpy())
    table.insert(1, "with mask", mask[done].mean().to_numpy())
    table["folds"] = [cv.done(image[name] + mask[name]) for name in image]
    interim = cv.interim(image["all"] + mask["all"]) if _has_all(cv, image) else "interim: "
    word = statistics.verdict_difference(*table[["95 % low", "95 % high"]].iloc[-1])
    table["verdict"] = [""] * (len(table) - 1) + [interim + word]
    return table.rename_axis(["inputs", "backbone"])


def both_inputs(cv: GroupedCV, right: pd.DataFrame, kind: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Columns of :func:`rights` of the image alone and with masks, by backbone; ``all``: mean of the protocol's."""
    names = [name for name in cv.profile.backbones if {f"image, {name}", f"{kind}, {name}"} <= set(right)]
    both = (right[[f"{start}, {name}" for name in names]].set_axis(names, axis=1) for start in ("image", kind))
    planned = [name for name in names if name in BACKBONES]
    image, mask = (one.assign(all=one[planned].mean(axis=1, skipna=False)) if planned else one for one in both)
    return image, mask


def _has_all(cv: GroupedCV, image: pd.DataFrame) -> bool:
    return set(BACKBONES) & set(cv.profile.backbones) <= set(image)


def ensemble_endpoint(cv: GroupedCV, right: pd.DataFrame) -> pd.DataFrame:
    """P3: accuracy of the ensemble against its bound; the greedy one beside it, which is no endpoint."""
    return cv.against_bound("accuracy", right.filter([ENSEMBLE, GREEDY]), ACCURACY_BOUND)


def partition_table(run: Run) -> pd.DataFrame:
    """P2 to P4 in each partition of the folds, and over all: 95 % intervals resample partitions and groups.

    Left out are partitions in which an endpoint's plan is not complete, and endpoints that have one partition only.
    """
    parts = []
    for partition in range(run.profile.n_partitions):
        cv = GroupedCV.of(run.profile, run.seed, partition)
        right = rights(cv, with_ensembles(cv, answers(run, cv)))
        image, mask = both_inputs(cv, right, classifiers.AS_PRINTED)
        dice = mask_quality.lesion_dice(cv, mask_quality.mask_scores(run, cv))
        values = {
            "accuracy gained by masks as printed": (mask - image).get("all") if _has_all(cv, image) else None,
            "accuracy of the ensemble": right.get(ENSEMBLE),
            "lesion Dice of the single network": dice.get(mask_quality.SINGLE),
            "lesion Dice of the ensemble": dice.get(mask_quality.ENSEMBLE),
        }
        complete = {name: one for name, one in values.items() if one is not None and not cv.interim(one)}
        known = pd.DataFrame(complete, range(len(cv.labels)), dtype=float)
        parts.append(known.assign(group=cv.groups, partition=f"partition {partition}"))
    rows, long = {}, pd.concat(parts).melt(["group", "partition"], var_name="endpoint").dropna()
    for name, part in long.groupby("endpoint", sort=False):
        if len(set(part.partition)) > 1:
            over_all = statistics.mean_bootstrap(part.value, part.group, part.partition, seed=run.seed)
            rows[name] = {**part.groupby("partition").value.mean(), **over_all.row("all")}
    return pd.DataFrame(rows).T
