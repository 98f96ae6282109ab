"""Paper B's tables: printed beside what the jobs of :mod:`lib.nas.experiments` scored; unfinished plans are marked."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import f1_score

from lib.core import runtime, words
from lib.core.config import Profile
from lib.core.jobs import NOT_DONE, Result
from lib.core.store import Store
from lib.evaluation import paired, statistics
from lib.nas.experiments import BLOCKS, DIGITS, STRATEGIES, Searches
from lib.nas.notation import parse
from lib.nas.search import best
from lib.reported import nas as reported
from lib.reported import read

NOT_TESTED = "not tested yet"
_COUNTS = ("n", "parameters", "parameters printed", "epochs", "epochs printed", "models", "trainings", "seeds")
_MNIST_TESTED = 10_000  # images behind each printed accuracy


def printed_networks(results: Mapping[str, Result], profile: Profile) -> pd.DataFrame:
    """Tables II to IV: what is printed beside what the same networks score here, one training each.

    ``low`` and ``high`` of accuracy and loss are where those of another test set of the printed size should lie after
    this training (95 %): only the error of the two test sets is in them.
    """
    printed, shape = reported.NETWORKS, DIGITS[profile.nas_digits][1]
    rows = {}
    for name, result in results.items():
        row = rows[name] = {"table": printed.results[name], "trainings": int(bool(result))}
        row |= {f"{score} printed": printed.loc[name, score] for score in ("accuracy", "loss", "parameters", "epochs")}
        row["parameters"] = parse(result.job.arguments["text"]).count_params(shape)
        counted = shape == reported.MNIST_SHAPE and pd.notna(row["parameters printed"])
        other = counted and row["parameters"] != row["parameters printed"]
        remarks = {
            "printed network, not printed count": other,
            reported.PENALISED: result.job.arguments["settings"].l2 > 0,
        }
        remarks["one answer for all"] = bool(result) and _one_answer(result)
        row["note"] = "; ".join(remark for remark, applies in remarks.items() if applies)
        if not result:
            row["verdict"] = NOT_TESTED if result.error == NOT_DONE else f"failed: {result.error}"
            continue
        right, n = _right(result), len(result["labels"])
        low, high = statistics.predicted_proportion(right.sum(), n, _MNIST_TESTED)
        losses = -np.log(np.maximum(result["probabilities"][np.arange(n), result["labels"]].astype(float), 1e-7))
        half = stats.norm.ppf(0.975) * losses.std(ddof=1) * np.sqrt(1 / n + 1 / _MNIST_TESTED)
        loss = result["test_cross_entropy"]
        row |= {"accuracy": right.mean(), "accuracy low": low, "accuracy high": high, "n": n}
        row |= {"loss": loss, "loss low": loss - half, "loss high": loss + half, "epochs": result["epochs"]}
        row["verdict"] = statistics.NOT_TESTABLE
        if shape == reported.MNIST_SHAPE:
            row["verdict"] = statistics.verdict_value(row["accuracy printed"], low, high)
    scores = "{0} printed,{0},{0} low,{0} high"
    columns = f"table,{scores.format('accuracy')},{scores.format('loss')},parameters printed,parameters"
    return _frame(rows, f"{columns},epochs printed,epochs,n,trainings,verdict,note").rename_axis("network")


def se_difference(results: Mapping[str, Result]) -> pd.DataFrame:
    """Table IV: test accuracy of the printed SE-BbNAS network minus that of BbNAS on the same digits; one row.

    ``trainings`` of each; ``note``: which of the two gives all images the same class.
    """
    first, second, name = results.get("MNIST SE-BbNAS"), results.get("MNIST BbNAS"), "SE-BbNAS – BbNAS"
    if not (first and second):
        return pd.DataFrame({"difference": [np.nan]}, index=[name])
    table = paired.table({name: (_right(first), _right(second))}, np.arange(len(first["labels"])))
    both = zip(name.split(" – "), (first, second), strict=True)
    same = [f"{one} has one answer for all" for one, result in both if _one_answer(result)]
    penalised = [reported.PENALISED] if first.job.arguments["settings"].l2 > 0 else []
    return table.drop(columns="rounds").assign(trainings=1, note="; ".join(same + penalised))


def se_cost() -> pd.DataFrame:
    """What SE blocks cost in Table VI's network at 64×64×1: parameters and multiply-adds of one image."""
    networks = {kind: parse(reported.NETWORKS.text[name]) for kind, name in BLOCKS.items()}
    costs = {kind: network.describe(reported.MAMMOGRAM_SHAPE).loc["total"] for kind, network in networks.items()}
    frame = pd.DataFrame(costs).T[["parameters", "multiply_adds"]].astype(float)
    frame.loc["SE / plain"] = frame.loc["SE"] / frame.loc["plain"]
    return frame.rename(columns={"multiply_adds": "multiply-adds"})


def _one_answer(result: Result) -> bool:
    return len(np.unique(result["probabilities"].argmax(1))) == 1


def _right(result: Result) -> np.ndarray:
    return result["probabilities"].argmax(1) == result["labels"]


def _scores(result: Result) -> dict[str, float]:
    """``accuracy`` with Wilson's 95 % interval ``low`` to ``high`` and ``n``, of a training's test images."""
    right = _right(result)
    low, high = statistics.proportion_interval(right.sum(), len(right))
    return {"accuracy": right.mean(), "low": low, "high": high, "n": len(right)}


def winners(searches: Searches) -> pd.DataFrame:
    """One row per search: its models, what chose the winner, and the retrained winner's test accuracy."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for key, search in searches.found.items():
        rows[key] = {"models": int((search.frame.status == "ok").sum()), "complete": search.complete}
        if key[0] == "BbNAS":
            rows[key]["rule of III-D"] = search.stop_rule or ("never met" if search.complete else NOT_TESTED)
        if search.complete and (top := best(search.frame)) is not None:
            rows[key] |= {"validation": top.accuracy, "parameters": top.parameters, "winner": top.text}
        if result := searches.winners.get(key):
            rows[key] |= _scores(result)
    columns = "models,complete,validation,parameters,accuracy,low,high,n,rule of III-D,winner"
    return _frame(rows, columns).rename_axis(["strategy", "seed"])


def search_against_random(table: pd.DataFrame, planned: int) -> pd.DataFrame:
    """P6: test accuracy of the winners, BbNAS search minus random search, over the finished pairs of :func:`winners`.

    Returns
    -------
    One row: the means of ``BbNAS`` and ``random``, ``difference`` with the paired t interval ``95 % low`` to
    ``95 % high`` and ``p``, ``p sign`` of the exact sign test, pairs ``done`` of those ``planned``, ``verdict``.
    """
    both = table.pivot_table("accuracy", "seed", "strategy", dropna=False)[list(STRATEGIES)].dropna()
    gain = both["BbNAS"] - both["random"]
    low, high = statistics.mean_interval(gain)
    wins, unequal = int((gain > 0).sum()), int((gain != 0).sum())
    row = {**both.mean(), "difference": gain.mean(), "95 % low": low, "95 % high": high}
    row["p"] = stats.ttest_1samp(gain, 0).pvalue if gain.std() > 0 else np.nan
    row["p sign"] = stats.binomtest(wins, unequal).pvalue if unequal else np.nan
    row |= _verdict(low, high, len(gain), planned) | {"images": table.n.max()}
    return pd.DataFrame([row], index=["BbNAS – random"])


def gain_in_words(row: pd.Series) -> str:
    """The difference in a row with its interval, and nothing where it has none."""
    known = not np.isnan(row["95 % low"])
    return f" {words.number(row.difference, '+.4f')} ({words.interval(row, '+.4f')})," if known else ""


def small_networks(searches: Searches, profile: Profile) -> pd.DataFrame:
    """The best small model of all searches, before what the paper and others print for MNIST."""
    paper, elsewhere = reported.NETWORKS.query("results in ('II', 'III', 'IV')"), read("elsewhere_mnist")
    rows = pd.concat({"paper": paper, "elsewhere": elsewhere})[["accuracy", "parameters"]].to_dict("index")
    if searches.small:
        network = parse(searches.small.job.arguments["text"])
        row = _scores(searches.small) | {"parameters": network.count_params(DIGITS[profile.nas_digits][1])}
        rows = {("here", "found by search"): row | {"epochs": searches.small["epochs"]}, **rows}
    return _frame(rows, "accuracy,low,high,parameters,epochs,n").rename_axis(["source", "network"])


def answers(results: Mapping[tuple[str, int, int], Result]) -> dict[str, np.ndarray]:
    """Predicted classes of all mammograms, int (seeds, n), by kind of block; only seeds with all folds done."""
    predicted: dict[str, list[np.ndarray]] = {kind: [] for kind in BLOCKS}
    for seed in sorted({seed for _, seed, _ in results}):
        parts = {kind: [one for key, one in results.items() if key[:2] == (kind, seed)] for kind in BLOCKS}
        if all(map(all, parts.values())):
            for kind, folds in parts.items():
                order = np.argsort(np.concatenate([one.job.arguments["test"] for one in folds]))
                predicted[kind].append(np.concatenate([one["probabilities"].argmax(1) for one in folds])[order])
    return {kind: np.array(rows, int) for kind, rows in predicted.items()}


def mammogram_blocks(predicted: Mapping[str, np.ndarray], known: Result) -> pd.DataFrame:
    """Balanced accuracy (mean over seeds) with its interval over patients, for each kind of block (:func:`answers`).

    No ``skill``: the interval does not lie above one over the number of classes.  ``commonest class``: the share of
    answers that are this class.  ``known`` is the result of :func:`lib.nas.experiments.image_labels`.
    """
    rows = {kind: {"seeds": len(classes), "skill": NOT_TESTED} for kind, classes in predicted.items()}
    if known:
        commonest = np.bincount(known["labels"]).argmax()
        predicted = {**predicted, "majority class": np.full((1, len(known["labels"])), commonest)}
    for kind, classes in predicted.items():
        if len(classes):
            bootstrap = _balanced((classes == known["labels"]).mean(axis=0), known)
            f1 = [f1_score(known["labels"], one, average="macro", zero_division=0) for one in classes]
            rows[kind] = {"balanced": bootstrap.estimate, "low": bootstrap.low, "high": bootstrap.high}
            rows[kind] |= {"accuracy": (classes == known["labels"]).mean(), "macro F1": np.mean(f1)}
            rows[kind]["commonest class"] = (classes == commonest).mean()
            guessing = bootstrap.low <= 1 / len(known["classes"])
            rows[kind] |= {"skill": "no" if guessing else "yes", "seeds": len(classes), "n": classes.shape[1]}
    return _frame(rows, "balanced,low,high,accuracy,macro F1,commonest class,skill,seeds,n")


def mammogram_difference(
    predicted: Mapping[str, np.ndarray], blocks: pd.DataFrame, known: Result, planned: int
) -> pd.DataFrame:
    """P5: balanced accuracy of SE blocks minus plain blocks, seeds ``done`` of those ``planned``; one row.

    ``note``: that both kinds have no skill (``blocks``: :func:`mammogram_blocks`), which goes before the verdict
    (protocol, P5).
    """
    row: dict[str, Any] = dict.fromkeys(("difference", "95 % low", "95 % high", "p"), np.nan)
    if done := len(predicted["SE"]):
        right = {kind: (classes == known["labels"]).mean(axis=0) for kind, classes in predicted.items()}
        bootstrap = _balanced(right["SE"] - right["plain"], known)
        row = bootstrap.row("difference") | {"p": bootstrap.p_value()}
    row |= _verdict(row["95 % low"], row["95 % high"], done, planned) | {"images": predicted["SE"].shape[-1] or np.nan}
    if done and (blocks.skill[list(BLOCKS)] == "no").all():
        row["note"] = "neither beats guessing"
    return pd.DataFrame([row], index=["SE – plain"])


def _balanced(right: np.ndarray, known: Result) -> statistics.Bootstrap:
    """Mean over the classes of the mean of ``right``, resampled over patients."""
    recalls = np.where(known["labels"][:, None] == np.unique(known["labels"]), right[:, None], np.nan)
    bootstrap = statistics.mean_bootstrap(recalls, known["groups"])
    replicates = bootstrap.replicates.mean(axis=1)
    return statistics.Bootstrap(np.mean(bootstrap.estimate), *statistics.limits(replicates), replicates)


def _verdict(low: float, high: float, done: int, planned: int) -> dict[str, int | str]:
    """The protocol's word on a claim without a printed difference; interim before the plan is complete."""
    interim = "" if done == planned else " (interim)"
    verdict = NOT_TESTED if np.isnan(low) else statistics.verdict_difference(low, high) + interim
    return {"done": done, "planned": planned, "verdict": verdict}


def training_seconds(results: Mapping[str, Result], store: Store) -> pd.DataFrame:
    """Seconds of single trainings here, and printed for M and its children; of Table IV's only searches are printed.

    ``threads``: of the processor; two are not twice as fast as one.  1 on a GPU.
    """
    rows = {name: {"seconds printed": reported.NETWORKS.query("results != 'IV'").seconds.get(name)} for name in results}
    for name, result in results.items():
        if result:
            about = store.about(result.job)
            rows[name] |= {"seconds": about["seconds"], "seconds per epoch": about["seconds"] / result["epochs"]}
            rows[name] |= {"threads": runtime.threads(about["machine"])}
    return _frame(rows, "seconds printed,seconds,seconds per epoch,threads").astype(float).rename_axis("network")


def search_hours(searches: Searches, store: Store) -> pd.DataFrame:
    """Table IV: hours of whole searches, printed beside the sum over the trained models of each search here."""
    printed = reported.NETWORKS.query("results == 'IV'").seconds / 3600
    rows = {("paper", name.removeprefix("MNIST ")): {"hours": hours} for name, hours in printed.items()}
    for key, search in searches.found.items():
        if seconds := [store.about(job)["seconds"] for job in search.jobs if store.holds(job)]:
            rows[key] = {"hours": sum(seconds) / 3600, "models": len(seconds)}
    return _frame(rows, "hours,models").rename_axis(["search", "seed"])


def _frame(rows: Mapping, columns: str) -> pd.DataFrame:
    """One row per entry; a column that none has is empty, and counts are whole numbers."""
    frame = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns.split(","))
    return frame.astype({name: "Int64" for name in _COUNTS if name in frame})
