"""The comparison of classifiers under grouped folds: scores, paired differences, ensembles, endpoints P2 and P3."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from lib.core.config import Profile
from lib.core.jobs import Job
from lib.core.run import Run
from lib.evaluation import metrics, paired, statistics
from lib.experiments import classifiers
from lib.experiments.grouped_cv import GroupedCV, Pooled, pooled

ENSEMBLE = "ensemble"  # of P3
GREEDY = "greedy ensemble selection"
ACCURACY_BOUND = 0.80  # of P3; published: 0.802 on Curated BUSI
NOT_YET = "No result yet: these jobs are not done."
_N_PICKS = 20
Answers = Mapping[str, Pooled]


def planned(profile: Profile, seed: int) -> list[Job]:
    """Every job of the comparison in the order of its value: P2, P4, P3's members, the rest; partition by partition."""
    found: list[Job] = []
    known = classifiers.classifiers(profile)
    for partition in range(profile.n_partitions):
        grouped, random = (GroupedCV.of(profile, seed, partition, kind) for kind in (True, False))
        printed = [name for name in known if name.startswith(("image, ", "image + mask as printed, "))]
        order = [*classifiers.members(profile), *(name for name in known if name not in printed)]
        found += [*_jobs(grouped, printed), *(job for job, _ in grouped.mask_scores("paper"))]
        found += [job for kind in ("single", "ensemble") for job, _ in grouped.mask_scores(kind)]
        found += [*_jobs(grouped, order), *_jobs(random, printed)]
    return list(dict.fromkeys(found))


def _jobs(cv: GroupedCV, names: Iterable[str]) -> list[Job]:
    known = classifiers.classifiers(cv.profile)
    return [known[name][0](cv, fold) for name in names for fold in range(cv.n_folds)]


def answers(run: Run, cv: GroupedCV, starts: tuple[str, ...] = ("",)) -> dict[str, Pooled]:
    """The answers of the classifiers whose names begin so, as far as their trainings are done."""
    known = classifiers.classifiers(run.profile)
    found = {name: pooled(run, cv, one) for name, one in known.items() if name.startswith(starts)}
    return {name: one for name, one in found.items() if one is not None}


def ensemble(cv: GroupedCV, found: Answers) -> Pooled | None:
    """The mean of all members of P3, with equal weight and seeds averaged first; None while a member is missing."""
    names = classifiers.members(cv.profile)
    return _mean([found[name].averaged() for name in names]) if set(names) <= set(found) else None


def greedy_ensemble(cv: GroupedCV, found: Answers) -> Pooled | None:
    """Members picked one by one, again if need be, for the least cross-entropy of each fold's validation fold.

    Greedy selection with replacement (Caruana et al. 2004).  The ensemble's probabilities of the validation fold
    are those it was picked by, and so a little too good.
    """
    n_folds = cv.n_folds
    models = [one.averaged() for name, one in found.items() if one.trainings == n_folds]
    if not models:
        return None
    test, validation = (np.stack([getattr(one, part)[0] for one in models]) for part in ("test", "validation"))
    mixed, chosen_by = np.full_like(test[0], np.nan), np.full_like(test[0], np.nan)
    for fold in range(n_folds):
        chosen, tested = cv.members(cv.validates(fold)), cv.members(fold)
        picks: list[int] = []
        for _ in range(_N_PICKS):
            mixtures = [validation[[*picks, one]][:, chosen].mean(axis=0) for one in range(len(models))]
            losses = [log_loss(cv.labels[chosen], p, labels=range(len(cv.classes))) for p in mixtures]
            picks.append(int(np.argmin(losses)))
        mixed[tested] = test[picks][:, tested].mean(axis=0)
        chosen_by[chosen] = validation[picks][:, chosen].mean(axis=0)
    return Pooled(mixed[None], chosen_by[None], n_folds)


def with_ensembles(cv: GroupedCV, found: Answers) -> dict[str, Pooled]:
    """The answers, and those of both ensembles where their members are done."""
    both = {ENSEMBLE: ensemble(cv, found), GREEDY: greedy_ensemble(cv, found)}
    return {**found, **{name: one for name, one in both.items() if one is not None}}


def _mean(parts: list[Pooled]) -> Pooled:
    test, validation = (np.mean([getattr(one, part) for one in parts], axis=0) for part in ("test", "validation"))
    return Pooled(test, validation, min(one.trainings for one in parts))


def scores(cv: GroupedCV, one: Pooled) -> dict[str, float]:
    """Scores of one classifier out of fold, each the mean over its seeds, with 95 % intervals over groups.

    Returns
    -------
    ``accuracy``, ``balanced accuracy``, ``macro F1`` and ``AUC malignant`` (DeLong for clustered data, limits
    averaged over seeds), each with ``low`` and ``high``; ``sd seeds`` of the accuracy; ``images``;
    ``trainings``: folds done of all.
    """
    n_classes, done = len(cv.classes), np.flatnonzero(one.done)
    labels, groups, test = cv.labels[done], cv.groups[done], one.test[:, done]
    cells = labels * n_classes + test.argmax(axis=2)
    counted = np.eye(n_classes**2)[cells].transpose(1, 0, 2).reshape(len(done), -1)
    bootstrap = statistics.mean_bootstrap(counted, groups, seed=cv.seed)
    matrices = np.vstack([bootstrap.estimate, bootstrap.replicates]).reshape(-1, len(test), n_classes, n_classes)
    hits, true, called = np.einsum("...ii->...i", matrices), matrices.sum(axis=3), matrices.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A resample without a class has no recall of it: undefined, and left out of the interval.
        values = {
            "accuracy": hits.sum(axis=2),
            "balanced accuracy": (hits / true).mean(axis=2),
            "macro F1": np.where(true > 0, 2 * hits / (true + called), np.nan).mean(axis=2),
        }
    row: dict[str, float] = {}
    for name, value in values.items():
        mean = value.mean(axis=1)
        row |= {name: mean[0], f"{name} low": np.nanquantile(mean[1:], 0.025)}
        row[f"{name} high"] = np.nanquantile(mean[1:], 0.975)
    malignant = labels == cv.positive
    auc = [statistics.delong_interval(malignant, p[:, cv.positive], groups) for p in test]
    row |= dict(zip(("AUC malignant", "AUC malignant low", "AUC malignant high"), np.mean(auc, axis=0), strict=True))
    row["sd seeds"] = values["accuracy"][0].std(ddof=1) if len(test) > 1 else np.nan
    return {**row, "images": len(done), "trainings": share(one.trainings, cv.n_folds)}


def score_table(cv: GroupedCV, found: Answers) -> pd.DataFrame:
    """One row of :func:`scores` per classifier; passes with dropout count as an ensemble."""
    single = {name: one.averaged() if name == classifiers.MC_DROPOUT else one for name, one in found.items()}
    return pd.DataFrame({name: scores(cv, one) for name, one in single.items()}).T.infer_objects()


def class_table(cv: GroupedCV, found: Answers) -> pd.DataFrame:
    """Precision, recall and F1 of each class, out of fold, of the seeds' mean probabilities; one row per model."""
    rows = {}
    for name, one in found.items():
        predicted = one.averaged().test[0, one.done].argmax(axis=1)
        rows[name] = metrics.table_row(cv.labels[one.done], predicted, cv.classes)
    return pd.DataFrame(rows).T


def differences(cv: GroupedCV, pairs: Mapping[str, tuple[Pooled, Pooled]]) -> pd.DataFrame:
    """Paired differences in accuracy on the same images, seeds averaged, 95 % intervals and p over groups."""
    if not pairs:
        return pd.DataFrame()
    rights = {name: (a.right(cv.labels), b.right(cv.labels)) for name, (a, b) in pairs.items()}
    table = paired.table(rights, cv.groups, seed=cv.seed)
    return table[["difference", "95 % low", "95 % high", "p", "images"]]


def against_image(cv: GroupedCV, found: Answers) -> dict[str, tuple[Pooled, Pooled]]:
    """Pairs for :func:`differences`: each model against the image alone, in its own backbone where it names one."""
    base = f"image, {classifiers.single_backbone(cv.profile)}"
    pairs = {}
    for name, one in found.items():
        other = f"image, {name.rpartition(', ')[2]}"
        other = other if other in found else base
        if name != other and other in found:
            pairs[f"{name} – {other}"] = (one, found[other])
    return pairs


def mask_gain(cv: GroupedCV, found: Answers, kind: str = "image + mask as printed") -> pd.DataFrame:
    """Image and mask against the image alone, by backbone and on average: with the masks as printed, P2.

    Returns
    -------
    ``image``, ``with mask`` (accuracies), ``difference`` with interval and ``p``, ``images``, ``trainings`` and,
    in the last row, the protocol's ``verdict``.
    """
    rights, trainings = {}, []
    for name in cv.profile.backbones:
        both = [found.get(f"{start}, {name}") for start in ("image", kind)]
        if None not in both:
            rights[name] = [one.right(cv.labels) for one in both]
            trainings += [one.trainings for one in both]
    if not rights:
        return pd.DataFrame()
    complete = len(rights) == len(cv.profile.backbones)
    rows = {name: _gain(cv, *pair) for name, pair in rights.items()}
    rows["all"] = _gain(cv, *np.mean(list(rights.values()), axis=0))
    table = pd.DataFrame(rows).T.assign(trainings=share(min(trainings), cv.n_folds), verdict="")
    word = statistics.verdict_difference(*table.loc["all", ["95 % low", "95 % high"]])
    table.loc["all", "verdict"] = word if complete and min(trainings) == cv.n_folds else f"interim: {word}"
    return pd.concat({"image+mask – image": table}, names=["inputs", "backbone"])


def _gain(cv: GroupedCV, image: np.ndarray, with_mask: np.ndarray) -> dict[str, float]:
    row = paired.compare(with_mask, image, cv.groups, seed=cv.seed)
    shared = ~np.isnan(image + with_mask)
    means = {"image": image[shared].mean(), "with mask": with_mask[shared].mean()}
    return {**means, **row[["difference", "95 % low", "95 % high", "p", "images"]]}


def against_bound(cv: GroupedCV, name: str, values: np.ndarray, bound: float, done: int) -> dict[str, object]:
    """A mean over images, NaN left out, against the bound of an endpoint: interval, p and the protocol's verdict.

    Parameters
    ----------
    name : of the column of the mean.
    values : float (n,), for example whether each image is right.
    done : folds whose trainings are done.
    """
    bootstrap = statistics.mean_bootstrap(values, cv.groups, seed=cv.seed)
    word = statistics.verdict_bound(bootstrap.estimate, bootstrap.low, bootstrap.high, bound)
    return {
        name: bootstrap.estimate,
        "95 % low": bootstrap.low,
        "95 % high": bootstrap.high,
        "bound": bound,
        "p": bootstrap.p_value(bound),
        "images": int((~np.isnan(values)).sum()),
        "trainings": share(done, cv.n_folds),
        "verdict": word if done == cv.n_folds else f"interim: {word}",
    }


def ensemble_endpoint(cv: GroupedCV, found: Answers) -> pd.DataFrame:
    """P3: accuracy of the ensemble against its bound; the greedy one beside it, which is no endpoint."""
    rows = {
        name: against_bound(cv, "accuracy", found[name].right(cv.labels), ACCURACY_BOUND, found[name].trainings)
        for name in (ENSEMBLE, GREEDY)
        if name in found
    }
    return pd.DataFrame(rows).T.infer_objects()


def endpoint_in_words(table: pd.DataFrame) -> str:
    """One sentence per row of an endpoint against its bound."""
    if table.empty:
        return NOT_YET
    name = table.columns[0]
    return "\n".join(
        f"{title}: {name} {row[name]:.3f} (95 % interval {row['95 % low']:.3f} to {row['95 % high']:.3f}, "
        f"p = {row.p:.4f} against {row.bound:.2f}, {row.trainings} folds): {row.verdict}."
        for title, row in table.iterrows()
    )


def gain_in_words(table: pd.DataFrame) -> str:
    """What masks add to the image, over all backbones, and the verdict."""
    if table.empty:
        return NOT_YET
    row = table.iloc[-1]
    return f"{paired.in_words(row)} Trainings: {row.trainings} folds. Verdict: {row.verdict}."


def share(done: int, planned: int) -> str:
    """How many trainings of a plan are done, in words."""
    return f"{done} of {planned}"
