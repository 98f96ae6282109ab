"""Works through the plan of ``report/protocol.md`` and publishes each result: ``./run_all.sh evidence --hours H``."""

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from lib.core import config, jobs, paths, raw, runtime
from lib.core.jobs import Job
from lib.core.store import Store, StoreError, read_about
from lib.data import busi

# In the order of the protocol's section 8; each has ``planned(profile, seed)``, the jobs in order of value.
PLAN = (
    "lib.experiments.input_ablation",
    "lib.experiments.backbone_comparison",
    "lib.experiments.grouped_cv",
    "lib.experiments.model_comparison",
    "lib.experiments.external",
    "lib.nas.experiments",
    "lib.experiments.paper_vs_code",
    "lib.two_stage.tuning",
    "lib.two_stage.timing",
    "lib.experiments.better_masks",
)
# Data sets beside BUSI whose files are listed when results are published.
RAW = ("mnist.npz", "mini-mias", "kau-bcmd", "bus-uclm", "curated-busi", "weights")


def plan(profile: config.Profile, seed: int) -> dict[str, list[Job]]:
    """The jobs of each module of :data:`PLAN` that has a plan, each job once."""
    planned: dict[str, list[Job]] = {}
    seen: set[Job] = set()
    for name in PLAN:
        if importlib.util.find_spec(name) is None:
            continue
        try:
            module = importlib.import_module(name)
        except (ImportError, AttributeError) as error:
            print(f"{name}: no plan ({error})", file=sys.stderr)
            continue
        own = list(dict.fromkeys(module.planned(profile, seed))) if hasattr(module, "planned") else []
        planned[name] = [job for job in own if job not in seen]
        seen.update(own)
    return {name: own for name, own in planned.items() if own}


class Clock:
    """How long jobs take: the median of finished ones of the same step and settings, else of the same step."""

    def __init__(self, store: Store):
        self.seconds: dict[str, list[float]] = {}
        for folder in (store.published, store.working):
            for file in folder.glob("*/*.npz"):
                about = read_about(file)
                self.note(about["inputs"], about["made"]["seconds"])

    def note(self, described: dict[str, Any], seconds: float) -> None:
        for kind in (described["step"], _kind(described)):
            self.seconds.setdefault(kind, []).append(seconds)

    def expected(self, job: Job) -> float | None:
        described = job.describe()
        known = self.seconds.get(_kind(described)) or self.seconds.get(described["step"])
        return median(known) if known else None

    def sum(self, waiting: Iterable[Job]) -> str:
        """For example ``40 jobs, about 3.2 h``."""
        times = [self.expected(job) for job in waiting]
        known = [seconds for seconds in times if seconds is not None]
        more = f" and {len(times) - len(known)} of unknown length" if len(known) < len(times) else ""
        return f"{len(times)} jobs, about {duration(sum(known))}{more}" if known else f"{len(times)} jobs"


def _kind(described: dict[str, Any]) -> str:
    return f"{described['step']} {json.dumps(described['arguments'].get('settings'), sort_keys=True)}"


def duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{max(seconds / 60, 1):.0f} min"


def work(
    planned: dict[str, list[Job]], store: Store, until: float, workers: int = 0, say: Callable[[str], None] = print
) -> dict[Job, str]:
    """Run what is not done until no time is left; the failed jobs with their reasons.

    Here one by one in order of value, each with its inputs before it; with ``workers`` module by module.
    """
    clock, failed = Clock(store), {}
    rest = dict.fromkeys(jobs.waiting([job for own in planned.values() for job in own], store))
    for name, own in planned.items():
        n_done = sum(store.holds(job) for job in own)
        say(f"{name}: {n_done} of {len(own)} done; the whole plan still takes {clock.sum(rest)}")
        if workers:
            for result in jobs.run(own, store, workers=workers, until=until, report=say):
                if not result and result.error != jobs.NOT_DONE:
                    failed[result.job] = result.error
            rest = dict.fromkeys(jobs.waiting([job for others in planned.values() for job in others], store))
            if time.time() >= until:
                break
            continue
        for job in own:
            for one in jobs.waiting([job], store):
                if one in failed or any(needed in failed for needed, _ in one.inputs()):
                    failed.setdefault(one, "an input of it failed")
                    continue
                if time.time() + (clock.expected(one) or 0) > until:
                    say(f"time is up before {label(one)}; still to do: {clock.sum(rest)}")
                    return failed
                say(f"{label(one)} … ({clock.sum(rest)} to do)")
                result = jobs.run([one], store, extras=one.step.working_only)[0]
                rest.pop(one, None)
                if not result:
                    failed[one] = result.error
                    say(f"{label(one)}: failed: {result.error}")
                if store.holds(one):
                    clock.note(one.describe(), store.about(one)["seconds"])
            if job.step.name == "heads" and store.holds(job):
                _drop_features(job, store)
    say(f"still to do: {clock.sum(rest)}" if rest else "the plan is complete")
    return failed


def label(job: Job) -> str:
    """A job in words: its step and key, and what tells it from its neighbours."""
    arguments = job.describe()["arguments"]
    words = [f"{name} {arguments[name]}" for name in ("settings", "inputs", "seed", "seeds") if arguments.get(name)]
    return " · ".join([str(job), *words])[:150]


def _drop_features(job: Job, store: Store) -> None:
    # 25 to 100 MB each, and nobody but these heads reads features of predicted masks.
    for one, _ in job.inputs():
        if one.step.name == "features" and isinstance(one.arguments.get("masks"), list):
            store.file(one).unlink(missing_ok=True)


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    os.environ[runtime.LOG] = "1"
    runtime.show_progress()
    runtime.use_deterministic_operations()
    profile = config.get("lite")
    store = config.store_of(profile)
    until = time.time() + 3600 * options.hours
    try:
        busi.record()
        raw.record(*RAW)
        failed = work(plan(profile, options.seed), store, until, options.jobs, _say)
    except (StoreError, paths.MissingDataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for job, why in failed.items():
        print(f"failed: {label(job)}: {why}", file=sys.stderr)
    return 1 if failed else 0


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_all.sh evidence", description="Work through report/protocol.md; call it again to go on."
    )
    parser.add_argument("--hours", type=float, required=True, help="no job is started that would end later")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="processes of one thread each (0: this one)")
    parser.add_argument("--seed", type=int, default=0, help="the protocol's is 0")
    return parser
