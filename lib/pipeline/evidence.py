"""Works through the plan of ``report/protocol.md`` and publishes each result: ``./run_all.sh evidence --hours H``."""

import argparse
import gc
import importlib
import json
import logging
import os
import pkgutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from statistics import median
from typing import Any

from lib import experiments
from lib.core import cluster, config, jobs, raw, runtime
from lib.core.jobs import Job
from lib.core.store import Store, StoreError, read_about
from lib.data import busi

# In the order of the protocol's section 8; other modules of the experiments that have a plan follow.
ORDER = (
    "lib.experiments.input_ablation",
    "lib.experiments.backbone_comparison",
    "lib.experiments.model_comparison",
    "lib.experiments.external",
    "lib.nas.experiments",
)
_log = logging.getLogger(__name__)
Plan = dict[str, Callable[[], list[Job]]]  # by the module's name
# Data sets beside BUSI whose files are listed when results are published.
RAW = ("busi_related_images.csv", "mnist.npz", "mini-mias", "kau-bcmd", "bus-uclm", "curated-busi", "weights")


def plan(profile: config.Profile, seed: int) -> Plan:
    """What gives the jobs of each module that has a ``planned(profile, seed)``, in order of value.

    It is asked again when they are done: which trial of a tuning loop follows depends on the last one.
    """
    others = [name for _, name, _ in pkgutil.iter_modules(experiments.__path__, "lib.experiments.")]
    modules = [importlib.import_module(name) for name in dict.fromkeys([*ORDER, *others])]
    return {one.__name__: partial(one.planned, profile, seed) for one in modules if hasattr(one, "planned")}


class Clock:
    """How long jobs take: the median of finished ones of the same step and settings, else of the same step."""

    def __init__(self, store: Store):
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)  # by step, and by step with settings
        for folder in filter(None, (store.published, store.working)):
            for file in folder.glob("*/*.npz"):
                with suppress(StoreError):  # a damaged file matters to the job that reads it
                    about = read_about(file)
                    self.note(about["inputs"], about["made"]["seconds"])

    def note(self, described: dict[str, Any], seconds: float) -> None:
        for kind in _kinds(described):
            self.seconds[kind].append(seconds)

    def expected(self, job: Job) -> float | None:
        return next((median(self.seconds[kind]) for kind in _kinds(job.meaning()) if kind in self.seconds), None)

    def sum(self, waiting: Iterable[Job]) -> str:
        """For example ``40 jobs, about 3.2 h``."""
        times = [self.expected(job) for job in waiting]
        known = [seconds for seconds in times if seconds is not None]
        more = f" and {len(times) - len(known)} of unknown length" if len(known) < len(times) else ""
        total = f"{sum(known) / 3600:.1f} h" if sum(known) >= 5400 else f"{max(sum(known) / 60, 1):.0f} min"
        return f"{len(times)} jobs, about {total}{more}" if known else f"{len(times)} jobs"


def _kinds(described: dict[str, Any]) -> tuple[str, str]:
    step = described["step"]
    return f"{step} {json.dumps(described['arguments'].get('settings'), sort_keys=True)}", step


def work(planned: Plan, store: Store, until: float, workers: int, say: Callable[[str], None]) -> dict[Job, str]:
    """Run what is not done until no time is left; the failed jobs with their reasons.

    Here one by one in order of value, each with its inputs before it; with ``workers`` or a cluster module by module.
    """
    clock = Clock(store)
    failed: dict[Job, str] = {}
    late: list[Job] = []
    rest = set(jobs.waiting([job for ask in planned.values() for job in ask()], store))

    def start(job: Job) -> bool:
        if not late and time.time() + (clock.expected(job) or 0) > until:
            late.append(job)
            say(f"time is up before {label(job)}; still to do: {clock.sum(rest)}")
        elif not late:
            say(f"{label(job)} … ({clock.sum(rest)} to do)")
        return not late

    for name, ask in planned.items():
        own = ask()
        done = sum(map(store.holds, own))
        say(f"{name}: {done} of {len(own)} done; the whole plan still takes {clock.sum(rest)}")
        while todo := [job for job in ask() if job not in failed and not store.holds(job)]:
            some = todo if workers or os.environ.get(cluster.DASK) else todo[:1]
            run = jobs.waiting(some, store)
            results = jobs.run(some, store, workers=workers, start=start, report=say, failed=failed)
            failed |= {one.job: one.error for one in results if one.error not in ("", jobs.NOT_DONE)}
            for job in filter(store.holds, run):
                clock.note(job.meaning(), store.about(job)["seconds"])
            if late:
                return failed
            rest.difference_update(run)
            _drop_features(run, store, rest, ask)
            del results
            gc.collect()  # features and weights in circles of networks and callbacks: gigabytes in a night
        rest.difference_update(ask())
    say("the plan is complete" if not failed else f"the plan is complete but for {len(failed)} jobs")
    return failed


def label(job: Job) -> str:
    """A job in words: its step and key, and what tells it from its neighbours."""
    arguments = job.meaning()["arguments"]
    words = [f"{name} {arguments[name]}" for name in ("settings", "inputs", "seed", "seeds") if arguments.get(name)]
    return " · ".join([str(job), *words])[:150]


def _drop_features(run: Iterable[Job], store: Store, rest: Iterable[Job], ask: Callable[[], list[Job]]) -> None:
    # 25 to 100 MB each, of predicted masks, which hardly anybody reads but the heads that were trained now.
    read = {one for job in run if job.step.name == "heads" and store.holds(job) for one, _ in job.inputs()}
    read = {one for one in read if one.step.name == "features" and isinstance(one.arguments.get("masks"), list)}
    if read:
        waiting = [*rest, *jobs.waiting(ask(), store)]  # the next trial of a tuning loop too
        for one in read.difference(one for other in waiting for one, _ in other.inputs()):
            store.file(one).unlink(missing_ok=True)


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    config.check_seed(options.seed)
    os.environ |= {runtime.LOG: "1"} | ({} if options.jobs is None else {config.JOBS: str(options.jobs)})
    profile = config.get("lite")
    runtime.show_progress()
    runtime.use_deterministic_operations()
    until = time.time() + 3600 * options.hours
    busi.record()
    raw.record(*RAW)
    planned = plan(profile, options.seed)
    names = {name.removeprefix("lib.").removeprefix("experiments."): name for name in planned}
    if options.only:
        chosen = [config.check_choice("part of the plan", name, tuple(names)) for name in options.only]
        planned = {names[name]: planned[names[name]] for name in chosen}
    failed = work(planned, config.store_of(profile), until, profile.workers, _log.info)
    for job, why in failed.items():
        print(f"failed: {label(job)}: {why}", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_all.sh evidence", description="Work through report/protocol.md; call it again to go on."
    )
    parser.add_argument("--hours", type=float, required=True, help="no job is started that would end later")
    parser.add_argument("--only", nargs="+", metavar="PART", help="parts of the plan, for example external")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes of one thread each (0: this one)")
    parser.add_argument("--seed", type=int, default=0, help="the protocol's is 0")
    return parser
