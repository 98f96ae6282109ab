"""The tuning loop of both stages on round 0 (paper A, III-B)."""

from collections.abc import Callable

import pandas as pd

from lib.core import config, jobs
from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.experiments.paper_a import Plan
from lib.two_stage import tuning
from lib.two_stage.classification import HeadSettings
from lib.two_stage.segmentation import SegmenterSettings


def unet(plan: Plan, result: Callable[[Job], Result]) -> pd.DataFrame:
    """The path of :func:`lib.two_stage.tuning.search` through the U-Net's components."""
    components = tuning.only(tuning.UNET_COMPONENTS, plan.profile.tune_components)
    return tuning.search(components, tuning.UNET_START, plan.unet_trial, result, plan.profile.tune_passes)


def head(plan: Plan, result: Callable[[Job], Result]) -> pd.DataFrame:
    """The same for the classifier's components."""
    components = tuning.only(tuning.HEAD_COMPONENTS, plan.profile.tune_components)
    return tuning.search(components, tuning.HEAD_START, plan.head_trial, result, plan.profile.tune_passes)


def planned(profile: Profile, seed: int = 0) -> list[Job]:
    """The trials of both loops that are known: those that are done, and of each loop the next.

    Which trial follows depends on the results so far: ask again when these are done.
    """
    store, plan, asked = config.store_of(profile), Plan(profile, seed), []

    def look_up(job: Job) -> Result:
        asked.append(job)
        return jobs.run([job], store, train=False)[0]

    for loop in (head, unet):
        loop(plan, look_up)
    return asked


def table(path: pd.DataFrame, paper: SegmenterSettings | HeadSettings) -> pd.DataFrame:
    """What the loop chose so far beside the defaults of ``paper``, its choices; whether it is ``finished``."""
    names = [name for name in path if name in (*tuning.UNET_COMPONENTS, *tuning.HEAD_COMPONENTS)]
    here = tuning.chosen(path, names) if len(path) else pd.Series(index=names, dtype=object)
    printed = type(paper)()
    choices = {"paper": [getattr(printed, name) for name in names], "chosen": here}
    return pd.DataFrame({**choices, "finished": path.attrs["finished"]}, names)
