"""What notebook 08 reads: tables with the captions they were made with, their sources, the project's targets."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from lib import ablation, artifacts, evaluation, leaderboard
from lib.run import Run


def show(run: Run, name: str, index_col=0, precision: int = 3):
    """A table of an earlier notebook, styled, under its own caption."""
    caption = artifacts.read_json(run.figures / f"{name}.json")["caption"]
    table = run.read_table(name, index_col)
    return table.style.set_caption(caption).format(precision=precision, na_rep="–").set_uuid(name)


def provenance(run: Run) -> pd.DataFrame:
    """One row a result of other notebooks: ``name``, ``notebook``, ``profile``, ``seed``, ``commit``, ``machine``."""
    rows = []
    for sidecar in sorted(run.figures.glob("*.json")):
        source = artifacts.read_json(sidecar)
        if source.get("notebook", run.notebook) == run.notebook:
            continue
        machine = source["machine"]
        where = f"{machine['device']}, {machine['cores']} cores, Keras {machine['keras']} on {machine['backend']}"
        profile = source["profile"]["name"]
        rows.append((sidecar.stem, source["notebook"], profile, source["seed"], source["commit"], where))
    return pd.DataFrame(rows, columns=["name", "notebook", "profile", "seed", "commit", "machine"])


def card(run: Run) -> pd.DataFrame:
    """Key figures of the model card with 95 % intervals where the tables have them: ``value``, ``low``, ``high``."""
    models, masks = run.read_table("07_models"), run.read_table("07_segmentation")
    point, calibration = run.read_table("07_operating_point").here, run.read_table("07_calibration")
    best = models.loc[leaderboard.ENSEMBLE]
    rows = {f"{name}, {leaderboard.ENSEMBLE}": (best, name) for name in ("accuracy", "macro F1", "AUC malignant")}
    rows["accuracy, the paper's two-stage model"] = (models.loc[leaderboard.PAPER], "accuracy")
    rows["Dice of lesions"] = (masks.loc[evaluation.LESION], "dice")
    rows |= {f"{name}, malignant against the rest": (point, name) for name in ("sensitivity", "specificity")}
    table = {
        what: [source[name], source[f"{name} low"], source[f"{name} high"]] for what, (source, name) in rows.items()
    }
    for kind in calibration.columns:
        table[f"ECE, {kind}"] = [calibration.loc["ECE", kind], float("nan"), float("nan")]
    return pd.DataFrame(table, index=["value", "low", "high"]).T


@dataclass(frozen=True)
class Target:
    """What was to be reached: a value of one table, and on which side of a bound it has to lie.

    ``value`` takes the run and returns the value reached; ``above`` is False where less is better.
    """

    what: str
    bound: float
    value: Callable[[Run], float]
    above: bool = True


def _mean_gain(run: Run, inputs: str) -> float:
    table = run.read_table("04_table_i", [0, 1])["mean"].loc["ImageNet encoder"]
    return table[inputs] - table["image"]


def _least_gain(run: Run, inputs: str) -> float:
    return run.read_table("05_gains", [0, 1])[inputs].min()


def least_grouped_gain(run: Run) -> float:
    """What the drawn mask adds under grouped folds to the image alone, in the backbone where it adds least."""
    differences = run.read_table("07_comparisons").difference
    both, image = (re.escape(name) for name in (leaderboard.PAPER, leaderboard.IMAGE))
    return differences[differences.index.str.fullmatch(rf"{both}(, \w+)? – {image}(, \w+)?")].min()


TARGETS = (
    Target(
        "image + mask over image, mean over rounds (ImageNet encoder)", 0, lambda run: _mean_gain(run, "image+mask")
    ),
    Target("the same with out-of-fold masks", 0, lambda run: _mean_gain(run, ablation.OUT_OF_FOLD)),
    Target("image + mask over image, the backbone with the least gain", 0, lambda run: _least_gain(run, "image+mask")),
    Target("the same with out-of-fold masks", 0, lambda run: _least_gain(run, ablation.OUT_OF_FOLD)),
    Target("the same under grouped folds", 0, least_grouped_gain),
    Target(
        "accuracy, grouped folds, ensemble",
        0.80,
        lambda run: run.read_table("07_models").accuracy[leaderboard.ENSEMBLE],
    ),
    Target(
        "Dice of lesions, grouped folds", 0.80, lambda run: run.read_table("07_segmentation").dice[evaluation.LESION]
    ),
    Target(
        "ECE after temperature scaling",
        0.05,
        lambda run: run.read_table("07_calibration").loc["ECE", "after temperature scaling"],
        above=False,
    ),
    Target("accuracy on MNIST below 600,000 parameters", 0.995, lambda run: _compact(run)),
)


def _compact(run: Run) -> float:
    row = run.read_table("06_compact").loc["compact"]
    return row.accuracy if row.parameters < 600_000 else float("nan")


def targets(run: Run) -> pd.DataFrame:
    """Each target with its bound, the value that this run reached, and whether it lies on the right side."""
    rows = []
    for target in TARGETS:
        value = float(target.value(run))
        met = value > target.bound if target.above else value < target.bound
        sign = ">" if target.above else "<"
        rows.append((target.what, f"{sign} {target.bound:g}", value, "yes" if met else "no"))
    return pd.DataFrame(rows, columns=["target", "bound", "reached", "met"])
