"""The tuning loop of paper A, III-B, on round 0: one component changed at a time, kept if the objective falls.

The paper names the components and what it ended with; start, choices and their order are in the authors' code.  It
judges the U-Net by its loss and the head by its accuracy on validation data, each after the last of 30 or 10 epochs;
the paper trains for 100.  Here the best of 100 epochs counts: the number of epochs, which is tuned too, is then no
component.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.core import config, jobs, words
from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.experiments.paper_a import Plan
from lib.two_stage.classification import HeadSettings
from lib.two_stage.segmentation import SegmenterSettings

OBJECTIVES = {"unet": "validation cross-entropy / nats", "head": "validation error"}
STAGES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def coordinate_search(
    components: Mapping[str, Sequence], start: Mapping[str, Any], objective: Callable[[dict], Any], n_passes: int = 5
) -> pd.DataFrame:
    """Coordinate search over ``components``, as the paper describes it.

    In each pass every component in turn is set to each of its other choices, all else unchanged; the
    choice with a lower objective replaces the current one at once.  A configuration is scored once.  The
    paper passes 5 times; a pass that changes nothing ends the search, since the next would repeat it.

    Parameters
    ----------
    components : choices by name of the component.
    start : the pre-defined combination, one choice for each component.
    objective : of a configuration, smaller is better.  NaN is never kept; None, where a training is not
        done yet, ends the search as it is.
    n_passes : at most.

    Returns
    -------
    One row per scored configuration, in order: ``pass`` (0: the start), ``component`` and ``choice``
    that were changed, ``objective``, ``best`` (the lowest so far), ``kept`` (whether the change was),
    and the whole configuration in columns named as the components.  ``attrs["finished"]``: whether it ended by itself.
    """
    passes = range(1, n_passes + 1)
    changes = [(number, name, choice) for number in passes for name in components for choice in components[name]]
    current, best, last_change = {name: start[name] for name in components}, np.inf, 0
    scored, rows = [], []
    for number, name, choice in [(0, "start", ""), *changes]:
        trial = {**current, name: choice} if number else current
        if trial in scored or number > last_change + 1:
            continue
        value = objective(trial)
        if value is None:
            break
        kept = value < best or number == 0
        if kept:
            current, last_change, best = trial, number, np.fmin(value, best)
        scored.append(trial)
        rows.append([number, name, choice, value, best, kept, *trial.values()])
    path = pd.DataFrame(rows, columns=["pass", "component", "choice", "objective", "best", "kept", *components])
    path.attrs["finished"] = value is not None
    return path


def search(plan: Plan, stage: str, result: Callable[[Job], Result]) -> pd.DataFrame:
    """The path of :func:`coordinate_search` through the components of ``unet`` or ``head``.

    The objective is that of the best epoch: validation cross-entropy, without penalties, of the U-Net; share of
    validation images that the head gets wrong.  A training that fails, because its loss is no number any more,
    say, has the objective NaN.  ``attrs["objective"]`` names it.
    """
    trial = plan.unet_trial if stage == "unet" else plan.head_trial

    def objective(choices: Mapping[str, Any]) -> float | None:
        done = result(trial(choices))
        if done.error:
            return None if done.error == jobs.NOT_DONE else np.nan
        return float(np.min(done["history"]["val_bce"] if stage == "unet" else 1 - done["val_accuracy"]))

    wanted, choices = plan.profile.tune_components, STAGES[stage]["choices"]
    components = {name: some for name, some in choices.items() if wanted == "all" or name in wanted.split()}
    path = coordinate_search(components, STAGES[stage]["start"], objective, plan.profile.tune_passes)
    path.attrs["objective"] = OBJECTIVES[stage]
    return path


def planned(profile: Profile, seed: int = 0) -> list[Job]:
    """The trials of both loops that are known: those that are done, and of each loop the next.

    Which trial follows depends on the results so far: ask again when these are done.
    """
    store, plan, asked = config.store_of(profile), Plan(profile, seed), []

    def look_up(job: Job) -> Result:
        asked.append(job)
        return jobs.run([job], store, train=False)[0]

    for stage in ("head", "unet"):
        search(plan, stage, look_up)
    return asked


def table(path: pd.DataFrame, paper: SegmenterSettings | HeadSettings) -> pd.DataFrame:
    """What the loop chose so far beside the defaults of ``paper``, its choices; whether it is ``finished``."""
    names = path.columns[path.columns.get_loc("kept") + 1 :]
    rows = pd.DataFrame({"paper": [getattr(type(paper), name) for name in names]}, names)
    rows["chosen"] = path.loc[path["kept"], names].iloc[-1] if len(path) else None
    return rows.assign(finished=path.attrs["finished"])


def in_words(chosen: pd.DataFrame) -> str:
    """How many settings of :func:`table` are the paper's, and what the others are."""
    if chosen["chosen"].isna().all():
        return f"The tuning loop: {words.NO_RESULT}."
    other = chosen[chosen["chosen"] != chosen["paper"]]
    texts = other[["chosen", "paper"]].map(lambda setting: f"{setting:g}" if isinstance(setting, float) else setting)
    changed = "".join(
        f"; {words.spelt(name)} is {row['chosen']} instead of {row['paper']}" for name, row in texts.iterrows()
    )
    return f"The loop chooses {len(chosen) - len(other)} of {len(chosen)} settings as the paper does{changed}."
