"""The tuning loop of both stages on round 0 (paper A, III-B)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lib.core import config, jobs
from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.experiments.paper_a import Plan
from lib.two_stage import tuning
from lib.two_stage.classification import HeadSettings
from lib.two_stage.segmentation import SegmenterSettings


def search(plan: Plan, stage: str, result: Callable[[Job], Result]) -> pd.DataFrame:
    """The path of :func:`lib.two_stage.tuning.coordinate_search` through the components of ``unet`` or ``head``.

    What counts is the least validation cross-entropy of all epochs, without penalties.  A training that fails,
    because its loss is no number any more, say, has the loss NaN.
    """
    trial = plan.unet_trial if stage == "unet" else plan.head_trial

    def loss(choices: Mapping[str, Any]) -> float | None:
        done = result(trial(choices))
        if done.error == jobs.NOT_DONE:
            return None
        if done.error:
            return np.nan
        return float(np.min(done["history"]["val_bce"] if stage == "unet" else done["val_loss"]))

    components, start = tuning.STAGES[stage]
    wanted = plan.profile.tune_components
    components = {name: choices for name, choices in components.items() if wanted == "all" or name in wanted.split()}
    return tuning.coordinate_search(components, start, loss, plan.profile.tune_passes)


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
    printed = type(paper)()
    rows = pd.DataFrame({"paper": [getattr(printed, name) for name in names]}, names)
    rows["chosen"] = path.loc[path["kept"], names].iloc[-1] if len(path) else None
    return rows.assign(finished=path.attrs["finished"])
