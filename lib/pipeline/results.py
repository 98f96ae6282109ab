"""What notebook 08 reads: tables with the captions they were made with, their sources, the project's targets."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from lib.core import artifacts
from lib.core.run import Run
from lib.evaluation import metrics as evaluation
from lib.experiments import input_ablation as ablation
from lib.experiments import model_comparison as leaderboard

Bounds = tuple[float, float, float]  # a value and the ends of its 95 % interval


def show(run: Run, name: str, index_col=0, precision: int = 3):
    """A table of an earlier notebook, styled, under its own caption, with the profile and the cuts it was made with."""
    source = artifacts.read_json(run.figures / f"{name}.json")
    profile = source["profile"]
    caption = f"{source['caption']} · profile {profile['name']} (cut: {profile['cuts']})"
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
    """Key figures of the model card: ``value`` with ``low`` and ``high`` of 95 % where the tables have them.

    Intervals are over groups; those of sensitivity and specificity are Wilson's.
    """
    models, masks = run.read_table("07_models"), run.read_table("07_segmentation")
    point, calibration = run.read_table("07_operating_point").here, run.read_table("07_calibration")
    best = models.loc[leaderboard.ENSEMBLE]
    rows = {f"{name}, {leaderboard.ENSEMBLE}": (best, name) for name in ("accuracy", "macro F1", "AUC malignant")}
    rows[f"accuracy, {leaderboard.PAPER} (ImageNet encoder, out-of-fold masks)"] = (
        models.loc[leaderboard.PAPER],
        "accuracy",
    )
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

    ``value`` takes the run and returns the value reached with the ends of its 95 % interval, NaN where it has
    none; ``above`` is False where less is better.
    """

    what: str
    bound: float
    value: Callable[[Run], Bounds]
    above: bool = True


def _gain(run: Run, inputs: str) -> Bounds:
    table = run.read_table("04_differences", [0, 1])
    return _bounds(table.loc[("ImageNet encoder", f"{inputs} – image")], "difference")


def _least_gain(run: Run, inputs: str) -> Bounds:
    table = run.read_table("05_gains_paired", [0, 1])
    pairs = table.index.get_level_values(0) == f"{inputs} – image"
    rows = table[pairs & (table.index.get_level_values(1) != "all")]
    return _bounds(rows.loc[rows.difference.idxmin()], "difference") if len(rows) else (float("nan"),) * 3


def least_grouped_gain(run: Run) -> Bounds:
    """What the drawn mask adds under grouped folds to the image alone, in the backbone where it adds least."""
    table = run.read_table("07_comparisons")
    both, image = (re.escape(name) for name in (leaderboard.PAPER, leaderboard.IMAGE))
    rows = table[table.index.str.fullmatch(rf"{both}(, \w+)? – {image}(, \w+)?")]
    return _bounds(rows.loc[rows.difference.idxmin()], "difference")


def _bounds(row: pd.Series, name: str) -> Bounds:
    """A value and its interval; tables of differences call its ends ``95 % low``, tables of scores ``<name> low``."""
    prefix = "95 %" if "95 % low" in row else name
    return row[name], row[f"{prefix} low"], row[f"{prefix} high"]


def _calibration(run: Run) -> Bounds:
    ece = run.read_table("07_calibration").loc["ECE", "after temperature scaling"]
    return ece, float("nan"), float("nan")


def _compact(run: Run) -> Bounds:
    row = run.read_table("06_compact").loc["compact"]
    return (row.accuracy, row.low, row.high) if row.parameters < 600_000 else (float("nan"),) * 3


_LEAST = "image + mask over image, of the backbones at hand the one with the least gain"
TARGETS = (
    Target("image + mask over image, ImageNet encoder", 0, lambda run: _gain(run, "image+mask")),
    Target("image + out-of-fold mask over image, ImageNet encoder", 0, lambda run: _gain(run, ablation.OUT_OF_FOLD)),
    Target(_LEAST, 0, lambda run: _least_gain(run, "image+mask")),
    Target(f"{_LEAST}, out-of-fold masks", 0, lambda run: _least_gain(run, ablation.OUT_OF_FOLD)),
    Target(f"{_LEAST}, grouped folds", 0, least_grouped_gain),
    Target(
        "accuracy, grouped folds, ensemble",
        0.80,
        lambda run: _bounds(run.read_table("07_models").loc[leaderboard.ENSEMBLE], "accuracy"),
    ),
    Target(
        "Dice of lesions, grouped folds",
        0.80,
        lambda run: _bounds(run.read_table("07_segmentation").loc[evaluation.LESION], "dice"),
    ),
    Target("ECE after temperature scaling", 0.05, _calibration, above=False),
    Target("accuracy on MNIST below 600,000 parameters", 0.995, _compact),
)


def targets(run: Run) -> pd.DataFrame:
    """Each target with its bound, what this run reached, its 95 % interval, and what of it is shown.

    ``met``: "yes" if the whole interval lies on the right side, "reached, not shown" if the value alone does,
    "reached, no interval" if there is none, else "no".
    """
    rows = []
    for target in TARGETS:
        value, low, high = map(float, target.value(run))
        sign, worst = (">", low) if target.above else ("<", high)
        right = [x > target.bound if target.above else x < target.bound for x in (value, worst)]
        sure = "reached, no interval" if pd.isna(worst) else "yes" if right[1] else "reached, not shown"
        rows.append((target.what, f"{sign} {target.bound:g}", value, low, high, sure if right[0] else "no"))
    return pd.DataFrame(rows, columns=["target", "bound", "reached", "95 % low", "95 % high", "met"])
