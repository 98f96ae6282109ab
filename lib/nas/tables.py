"""Paper B's tables: printed beside what the jobs of :mod:`lib.nas.experiments` scored; unfinished plans are marked."""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import f1_score

from lib.core.config import Profile
from lib.core.jobs import NOT_DONE, Job, Result
from lib.core.store import Store
from lib.evaluation import paired, statistics
from lib.nas.experiments import BLOCKS, STRATEGIES, Searches, digits
from lib.nas.notation import parse
from lib.reported import nas as reported

NOT_TESTED = "not tested"
_WHOLE = ("n", "parameters", "parameters printed", "epochs", "epochs printed", "models", "trainings", "seeds")
_MNIST_TESTED = 10_000  # images behind each printed accuracy


def printed_networks(results: Mapping[str, Result], profile: Profile) -> pd.DataFrame:
    """Tables II to IV: what is printed beside what the same networks score here, one training each.

    ``low`` and ``high`` of accuracy and loss are where those of another test set of the printed size should lie after
    this training (95 %): only the error of the two test sets is in them.
    """
    printed, shape = reported.results(), digits(profile)[1]
    rows = {}
    for name, result in results.items():
        verdict = NOT_TESTED if result.error in ("", NOT_DONE) else f"failed: {result.error}"
        rows[name] = {"trainings": int(bool(result)), "verdict": verdict}
        rows[name]["parameters"] = parse(result.job.arguments["text"]).count_params(shape)
        if result:
            rows[name] |= _single_training(result) | {"epochs": result["epochs"]}
            if shape == reported.MNIST_SHAPE:
                bounds = (rows[name][f"accuracy {side}"] for side in ("low", "high"))
                rows[name]["verdict"] = statistics.verdict_value(printed.accuracy[name], *bounds)
    both = ("accuracy", "loss", "parameters", "epochs")
    frame = pd.DataFrame(rows).T.join(printed[["table", *both]].add_suffix(" printed")).rename_axis("network")
    columns = [one for name in both for one in (f"{name} printed", name, f"{name} low", f"{name} high")]
    columns = ["table printed", *(name for name in columns if not re.match("(parameters|epochs) (low|high)", name))]
    return _tidy(
        frame.reindex(columns=[*columns, "n", "trainings", "verdict"]).rename(columns={"table printed": "table"})
    )


def _single_training(result: Result) -> dict[str, float]:
    labels, probabilities = result["labels"], result["probabilities"].astype(float)
    n, right = len(labels), int((probabilities.argmax(1) == labels).sum())
    low, high = statistics.predicted_proportion(right, n, _MNIST_TESTED)
    losses = -np.log(np.maximum(probabilities[np.arange(n), labels], 1e-7))
    half = stats.norm.ppf(0.975) * losses.std(ddof=1) * np.sqrt(1 / n + 1 / _MNIST_TESTED)
    loss = result["test_cross_entropy"]
    row = {"accuracy": right / n, "accuracy low": low, "accuracy high": high, "n": n}
    return row | {"loss": loss, "loss low": loss - half, "loss high": loss + half}


def se_difference(results: Mapping[str, Result]) -> pd.DataFrame:
    """Table IV: test accuracy of the printed SE-BbNAS network minus that of BbNAS on the same digits; one row."""
    pair = [results.get(f"MNIST {name}") for name in ("SE-BbNAS", "BbNAS")]
    name = "SE-BbNAS – BbNAS"
    if not all(pair):
        return pd.DataFrame({"difference": [np.nan]}, index=[name])
    right = tuple(result["probabilities"].argmax(1) == result["labels"] for result in pair)
    return paired.table({name: right}, np.arange(len(right[0])))


def se_cost() -> pd.DataFrame:
    """What SE blocks cost in Table VI's network at 64×64×1: parameters and multiply-adds of one image."""
    texts, shape = reported.architectures().text, reported.MAMMOGRAM_SHAPE
    networks = {kind: parse(texts[name]) for kind, name in BLOCKS.items()}
    costs = {kind: (one.count_params(shape), one.count_multiply_adds(shape)) for kind, one in networks.items()}
    frame = pd.DataFrame(costs, index=["parameters", "multiply-adds"], dtype=float).T
    frame.loc["SE / plain"] = frame.loc["SE"] / frame.loc["plain"]
    return frame


def scores(result: Result) -> dict[str, float]:
    """``accuracy`` with Wilson's 95 % interval ``low`` to ``high`` and ``n``, of a training's test images."""
    labels = result["labels"]
    right = int((result["probabilities"].argmax(1) == labels).sum())
    low, high = statistics.proportion_interval(right, len(labels))
    return {"accuracy": right / len(labels), "low": low, "high": high, "n": len(labels)}


def winners(searches: Searches) -> pd.DataFrame:
    """One row a search: its models, what chose the winner, and the retrained winner's test accuracy."""
    rows = {}
    for key, search in searches.found.items():
        result, best = searches.winners.get(key), search.best
        rows[key] = {"models": int((search.frame.status == "ok").sum()), "complete": search.complete}
        rows[key]["rule of III-D"] = search.stop_rule or "never met"
        if search.complete and best is not None:
            rows[key] |= {"validation": best.accuracy, "parameters": best.parameters, "winner": best.text}
        rows[key] |= scores(result) if result else {}
    columns = [
        "models",
        "complete",
        "validation",
        "parameters",
        "accuracy",
        "low",
        "high",
        "n",
        "rule of III-D",
        "winner",
    ]
    return _tidy(pd.DataFrame(rows).T.reindex(columns=columns).rename_axis(["strategy", "seed"]))


def search_against_random(table: pd.DataFrame, planned: int) -> pd.DataFrame:
    """P6: test accuracy of the winners, BbNAS search minus random search, over the finished pairs of :func:`winners`.

    Returns
    -------
    One row: the means of ``BbNAS`` and ``random``, ``difference`` with the paired t interval ``95 % low`` to
    ``95 % high`` and ``p``, ``p sign`` of the exact sign test, pairs ``done`` of those ``planned``, ``verdict``.
    """
    scored = table.accuracy.astype(float).reset_index()
    both = scored.pivot_table("accuracy", "seed", "strategy").reindex(columns=list(STRATEGIES)).dropna()
    gain = (both["BbNAS"] - both["random"]).to_numpy()
    low, high = statistics.mean_interval(gain)
    wins, unequal = int((gain > 0).sum()), int((gain != 0).sum())
    row = {**both.mean(), "difference": gain.mean() if len(gain) else np.nan, "95 % low": low, "95 % high": high}
    row["p"] = stats.ttest_1samp(gain, 0).pvalue if len(gain) > 1 and gain.std() else np.nan
    row["p sign"] = stats.binomtest(wins, unequal).pvalue if unequal else np.nan
    row |= {"done": len(gain), "planned": planned, "verdict": _verdict(low, high, len(gain) == planned)}
    return pd.DataFrame([row], index=["BbNAS – random"])


def small_networks(searches: Searches, profile: Profile) -> pd.DataFrame:
    """The best small model of all searches, before what the paper and others print for MNIST."""
    printed = reported.results().query("table in ('III', 'IV')")[["accuracy", "parameters"]]
    parts = {"paper": printed, "elsewhere": reported.literature()[["accuracy", "parameters"]]}
    if searches.small:
        network = parse(searches.small.job.arguments["text"])
        row = scores(searches.small) | {"parameters": network.count_params(digits(profile)[1])}
        row |= {"epochs": searches.small["epochs"]}
        parts = {"here": pd.DataFrame([row], index=["found by search"]), **parts}
    columns = ["accuracy", "low", "high", "parameters", "epochs", "n"]
    return _tidy(pd.concat(parts, names=["source", "network"]).reindex(columns=columns))


def small_in_words(table: pd.DataFrame) -> str:
    """Whether the found network of :func:`small_networks` is above 99.5 % and above the paper's best."""
    if "here" not in table.index.get_level_values("source"):
        return f"A small network: {NOT_TESTED}; it is chosen when all searches are complete."
    ours, best = table.loc["here"].iloc[0], table.loc["paper"].accuracy.max()
    bounds = {"0.995": 0.995, f"the paper's best, {best:.4f}": best}
    words = [f"{'above' if ours.low > bound else 'not shown to be above'} {name}" for name, bound in bounds.items()]
    return (
        f"{ours.accuracy:.4f} (95 % interval {ours.low:.4f} to {ours.high:.4f}, n = {ours.n:.0f}) with "
        f"{ours.parameters:,.0f} parameters: {' and '.join(words)}."
    )


def answers(results: Mapping[tuple[str, int, int], Result], known: Result) -> dict[str, np.ndarray]:
    """Predicted classes of all mammograms, int (seeds, n), by kind of block; only seeds with all folds done.

    ``known`` is the result of :func:`lib.nas.experiments.image_labels`.
    """
    n = len(known["labels"]) if known else 0
    predicted = {kind: {} for kind in BLOCKS}
    for (kind, seed, _), result in results.items():
        row = predicted[kind].setdefault(seed, np.full(n, -1))
        if result:
            row[result.job.arguments["test"]] = result["probabilities"].argmax(1)
    whole = [seed for seed in predicted["SE"] if all((rows[seed] >= 0).all() for rows in predicted.values())]
    return {
        kind: np.array([rows[seed] for seed in whole], int).reshape(len(whole), n) for kind, rows in predicted.items()
    }


def mammogram_blocks(predicted: Mapping[str, np.ndarray], known: Result) -> pd.DataFrame:
    """Balanced accuracy (mean over seeds) with its interval over patients, for each kind of block (:func:`answers`).

    No ``skill``: the interval includes one over the number of classes.
    """
    rows = {}
    if known:
        predicted = {**predicted, "majority class": np.full((1, len(known["labels"])), majority(known["labels"]))}
    for kind, classes in predicted.items():
        rows[kind] = {"seeds": len(classes), "skill": NOT_TESTED}
        if len(classes):
            right = (classes == known["labels"]).mean(axis=0)
            bootstrap = _balanced(right, known)
            f1 = [f1_score(known["labels"], one, average="macro", zero_division=0) for one in classes]
            rows[kind] |= {"balanced": bootstrap.estimate, "low": bootstrap.low, "high": bootstrap.high}
            rows[kind] |= {"accuracy": right.mean(), "macro F1": np.mean(f1), "n": len(right)}
            rows[kind]["skill"] = "no" if bootstrap.low <= 1 / len(known["classes"]) <= bootstrap.high else "yes"
    columns = ["balanced", "low", "high", "accuracy", "macro F1", "skill", "seeds", "n"]
    return _tidy(pd.DataFrame(rows).T.reindex(columns=columns))


def mammogram_difference(predicted: Mapping[str, np.ndarray], known: Result, planned: int) -> pd.DataFrame:
    """P5: balanced accuracy of SE blocks minus plain blocks, seeds ``done`` of those ``planned``; one row."""
    row = dict.fromkeys(("difference", "95 % low", "95 % high", "p"), np.nan)
    if done := len(predicted["SE"]):
        right = {kind: (classes == known["labels"]).mean(axis=0) for kind, classes in predicted.items()}
        bootstrap = _balanced(right["SE"] - right["plain"], known)
        row = {"difference": bootstrap.estimate, "95 % low": bootstrap.low, "95 % high": bootstrap.high}
        row["p"] = bootstrap.p_value()
    row |= {"done": done, "planned": planned}
    row["verdict"] = _verdict(row["95 % low"], row["95 % high"], done == planned)
    return pd.DataFrame([row], index=["SE – plain"])


def majority(labels: np.ndarray) -> int:
    """The commonest class."""
    return int(np.bincount(labels).argmax())


def in_words(row: pd.Series) -> str:
    """A row of :func:`search_against_random` or :func:`mammogram_difference` as a sentence."""
    done = f"({row.done} of {row.planned})"
    return (
        f"{row.name}: {NOT_TESTED} {done}."
        if row.verdict == NOT_TESTED
        else f"{paired.in_words(row)} {done} Verdict: {row.verdict}."
    )


def skill_in_words(table: pd.DataFrame) -> str:
    """What :func:`mammogram_blocks` shows in words; it belongs before any difference."""
    networks = table.drop(index="majority class", errors="ignore")
    if (networks.skill == NOT_TESTED).any():
        return f"Plain and SE blocks: {NOT_TESTED}."
    if (networks.skill == "no").all():
        return "Neither network has skill: the intervals of both balanced accuracies include that of guessing."
    return f"Above guessing: {', '.join(networks.index[networks.skill == 'yes'])}."


def _balanced(right: np.ndarray, known: Result) -> statistics.Bootstrap:
    """Mean over the classes of the mean of ``right``, resampled over patients."""
    recalls = np.where(known["labels"][:, None] == np.unique(known["labels"]), right[:, None], np.nan)
    bootstrap = statistics.mean_bootstrap(recalls, known["groups"])
    replicates = bootstrap.replicates.mean(axis=1)
    return statistics.Bootstrap(bootstrap.estimate.mean(), *np.nanquantile(replicates, [0.025, 0.975]), replicates)


def _verdict(low: float, high: float, complete: bool) -> str:
    """The protocol's word on a claim without a printed difference; interim before the plan is complete."""
    if np.isnan(low):
        return NOT_TESTED
    return statistics.verdict_difference(low, high) + ("" if complete else " (interim)")


def training_seconds(results: Mapping[str, Result], store: Store) -> pd.DataFrame:
    """Seconds of single trainings here, and printed for M and its children; of Table IV's only searches are printed."""
    here = {name: store.about(result.job)["seconds"] if result else np.nan for name, result in results.items()}
    printed = reported.results().query("table != 'IV'").seconds.reindex(here)
    return pd.DataFrame({"seconds printed": printed, "seconds": here}).rename_axis("network")


def search_hours(searches: Searches, store: Store) -> pd.DataFrame:
    """Table IV: hours of whole searches, printed beside the sum over the children of each search here."""
    printed = reported.results().query("table == 'IV'")
    rows = {("paper", name.removeprefix("MNIST ")): {"hours": row.seconds / 3600} for name, row in printed.iterrows()}
    for key, search in searches.found.items():
        rows[key] = {"hours": _seconds(search.jobs, store) / 3600, "models": len(search.jobs)}
    return _tidy(pd.DataFrame(rows).T.rename_axis(["search", "seed"]))


def _seconds(done: Iterable[Job], store: Store) -> float:
    return sum(store.about(job)["seconds"] for job in done if store.holds(job))


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as numbers, counts as whole ones."""
    frame = frame.infer_objects()
    return frame.assign(**{name: frame[name].astype(float).astype("Int64") for name in _WHOLE if name in frame})
