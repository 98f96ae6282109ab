"""Runs the notebooks headless, in order and resumably: ``python -m lib.pipeline.driver [smoke|lite|full]``.

A notebook is done when its stamp says so: a hash of its own source, lib's code, the profile, the
seed, the data and the stamp of the notebook before it.  Outputs go to ``<name>.partial.ipynb`` and
are renamed on success, so a file without ``.partial`` is always a whole run.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from lib.core import artifacts, paths, runtime
from lib.core import config as profiles
from lib.pipeline import publication
from lib.pipeline.publication import Job

NOTEBOOKS = paths.ROOT / "notebooks"
_DATA = ("busi", "mnist.npz", "mini-mias", "kau-bcmd", "weights")


def plan(profile: str, seed: int) -> list[Job]:
    """The jobs of a run, in order."""
    code = artifacts.source_digest(*artifacts.all_modules())
    stamp = artifacts.digest(profiles.get(profile), seed, code, _data_state(profile))
    jobs = []
    for source in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        cells = [cell.source for cell in nbformat.read(source, 4).cells]
        stamp = artifacts.digest(stamp, source.stem, cells)
        jobs.append(Job(source, paths.artifacts(profile), stamp))
    return jobs


def execute(job: Job, parameters: dict) -> None:
    """Run one notebook; the executed copy, its stamp and its HTML appear only if every cell succeeded.

    Raises
    ------
    lib.core.config.SettingsError
        If the notebook has no parameter of that name (papermill itself would only warn).
    PapermillExecutionError, DeadKernelError
        If a cell raised, or the kernel died.
    """
    known = papermill.inspect_notebook(str(job.source))
    for name in parameters:
        profiles.check_choice(f"parameter of {job.name}", name, tuple(known))
    started = time.perf_counter()
    _remove_figures(job)
    partial = job.executed.with_suffix(".partial.ipynb")
    partial.parent.mkdir(parents=True, exist_ok=True)
    job.stamp_file.unlink(missing_ok=True)
    papermill.execute_notebook(
        str(job.source),
        str(partial),
        parameters=parameters,
        cwd=str(NOTEBOOKS),
        kernel_name="python3",
        progress_bar=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # else each kernel warns of its own sockets
    )
    os.replace(partial, job.executed)
    publication.write_html(job.executed, job.folder / "html" / f"{job.name}.html")
    seconds = time.perf_counter() - started
    cost = {"seconds": round(seconds), "machine": str(runtime.machine()), "commit": runtime.commit()}
    artifacts.write_json(job.cost_file, cost)
    with artifacts.atomic(job.stamp_file) as temporary:
        temporary.write_text(job.stamp)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        profiles.get(options.profile)
        jobs = plan(options.profile, options.seed)
        known = tuple(job.name for job in jobs)
        chosen = {profiles.check_choice("notebook", name, known) for name in options.only or known}
        if options.bless and options.profile != "smoke":
            raise profiles.SettingsError("only smoke runs can be blessed: the golden notebooks are smoke runs")
        done = _run([job for job in jobs if job.name in chosen], options)
    except profiles.SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not done:
        return 1
    folder = jobs[0].folder
    index = publication.write_index(jobs, options.profile)
    if message := publication.publish(jobs, options.profile):
        print(message)
    if options.bless:
        publication.bless([job for job in jobs if job.name in chosen])
        print(f"golden notebooks: {paths.relative(publication.GOLDEN)}")
    print(f"executed notebooks: {paths.relative(folder / 'notebooks')}")
    print(f"figures and tables: {paths.relative(folder / 'figures')}")
    print(f"HTML report:        {paths.relative(index)}")
    return 0


def _run(jobs: Sequence[Job], options: argparse.Namespace) -> bool:
    for job in jobs:
        if job.is_done() and not options.force:
            print(f"{job.name}: up to date", flush=True)
            continue
        print(f"{job.name}: running …", flush=True)
        started = time.perf_counter()
        try:
            execute(job, {"profile": options.profile, "seed": options.seed})
        except (PapermillExecutionError, DeadKernelError) as error:
            hint = "the kernel died, usually for lack of memory" if isinstance(error, DeadKernelError) else error
            partial = job.executed.with_suffix(".partial.ipynb")
            print(
                f"{job.name}: failed\n{hint}\nsee {paths.relative(partial)}; finished steps are kept", file=sys.stderr
            )
            return False
        print(f"{job.name}: done in {time.perf_counter() - started:.0f} s", flush=True)
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run_all.sh", description="Run the paper's notebooks headless, in order.")
    parser.add_argument("profile", nargs="?", default="smoke", help=f"one of {', '.join(profiles.names())}")
    parser.add_argument("--seed", type=int, default=0, help="seed of splits and trainings (default 0)")
    parser.add_argument("--only", nargs="+", metavar="NOTEBOOK", help="run these alone, for example 02_unet")
    parser.add_argument("--force", action="store_true", help="run notebooks that are up to date as well")
    parser.add_argument("--bless", action="store_true", help="make this smoke run the one that tests compare with")
    return parser


def _data_state(profile: str) -> list:
    """Names, sizes and times of the real data's top folders; nothing for profiles that use none."""
    if profiles.get(profile).data == "phantoms":
        return []
    found = [path for name in _DATA if (path := paths.find_data(name))]
    files = [file for path in found for file in ([path] if path.is_file() else sorted(path.glob("*")))]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _remove_figures(job: Job) -> None:
    """Remove what an earlier version of the notebook saved, so that no orphan is published."""
    for sidecar in publication.results_of(job.folder / "figures", job.name):
        for suffix in (".png", ".pdf", ".csv", ".json"):
            sidecar.with_suffix(suffix).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
