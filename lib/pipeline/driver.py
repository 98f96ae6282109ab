"""Runs the notebooks headless, in order and resumably: ``python -m lib.pipeline.driver [smoke|lite|full]``.

A notebook is done when its stamp says so: a hash of its source, lib's, the profile, the seed, the raw data,
the published results and the backend.  Outputs go to ``<name>.partial.ipynb`` and figures to a folder beside
their place; both are put there on success, so what lies there is always of a whole run.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from lib.core import config, paths, raw, runtime, store
from lib.core.run import FIGURES
from lib.data import busi
from lib.data.record import DataError
from lib.pipeline import book, evidence, processes, publication
from lib.pipeline.publication import Notebook

SOURCES = paths.ROOT / "notebooks"
_RAW = ("busi", "busi_related_images.csv", "overrides.csv", *evidence.RAW)
_CODE = (".py", ".toml", ".csv")
_USER_ERRORS = (book.BookError, config.SettingsError, DataError, paths.MissingDataError, store.StoreError)


def plan(profile: config.Profile, seed: int, state: dict[str, Any] | None = None) -> list[Notebook]:
    """The notebooks of a run, in order, each with its stamp; ``state``: what all of them depend on, if it is known."""
    folder = paths.artifacts(profile.name)
    state = state or _state(profile, seed)
    notebooks: list[Notebook] = []
    for source in sorted(SOURCES.glob("[0-9][0-9]_*.ipynb")):
        cells = [cell.source for cell in nbformat.read(source, 4).cells]
        # The last one reads the tables of all others.
        earlier = [one.stamp for one in notebooks] if source.stem.startswith("09") else []
        text = json.dumps([state, source.stem, cells, earlier], sort_keys=True)
        notebooks.append(Notebook(source, folder, hashlib.sha256(text.encode()).hexdigest()[:16]))
    return notebooks


def _state(profile: config.Profile, seed: int) -> dict[str, Any]:
    names = () if profile.data == "phantoms" else _RAW
    code = [file for file in sorted((paths.ROOT / "lib").rglob("*.*")) if file.suffix in _CODE]
    read = [*code, Path(profile.excluded)] if profile.excluded else code
    return {
        "files": {paths.relative(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in read},
        "seed": seed,
        "profile": asdict(replace(profile, workers=0)),  # results are the same
        "data": {name: raw.identity(name) for name in names},
        "results": _published(profile),
        "backend": runtime.backend_id(),
    }


def _published(profile: config.Profile) -> list[str]:
    folder = config.store_of(profile).published
    return [f"{file.parent.name}/{file.name}" for file in sorted(folder.glob("*/*.npz"))] if folder else []


def execute(notebook: Notebook, parameters: dict[str, Any]) -> None:
    """Run one notebook; its executed copy, figures and stamp change only if every cell succeeded.

    Raises
    ------
    PapermillExecutionError, DeadKernelError
        If a cell raised, or the kernel died.
    """
    started = time.perf_counter()
    os.environ[FIGURES] = str(notebook.folder / "figures" / ".new")  # until all cells have succeeded
    aside = Path(os.environ[FIGURES]) / notebook.name
    shutil.rmtree(aside, ignore_errors=True)
    notebook.file().parent.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(
        str(notebook.source),
        str(notebook.file(".partial.ipynb")),
        parameters=parameters,
        cwd=str(SOURCES),
        kernel_name="python3",
        progress_bar=False,
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # else each kernel tells of its sockets and its end
    )
    notebook.file(".json").unlink(missing_ok=True)
    aside.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(notebook.figures, ignore_errors=True)
    os.replace(aside, notebook.figures)
    os.replace(notebook.file(".partial.ipynb"), notebook.file())
    took = {"stamp": notebook.stamp, "seconds": round(time.perf_counter() - started), **runtime.made_by()}
    store.write_json(notebook.file(".json"), took)


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    with processes.signals():
        try:
            if arguments[:1] == ["evidence"]:
                return evidence.main(arguments[1:])
            return _main(_parser().parse_args(arguments))
        except processes.Stop as stop:
            print(f"stopped; call ./run_all.sh {' '.join(arguments)} again to go on", file=sys.stderr)
            return 128 + stop.args[0]
        except (*_USER_ERRORS, OSError) as error:
            print("error: " + "\n".join(str(error).splitlines()[:5]), file=sys.stderr)
            return 2
        finally:
            processes.end_children()


def _main(options: argparse.Namespace) -> int:
    asked = {config.RETRAIN: options.retrain, config.TRAIN: options.train, config.JOBS: options.jobs}
    os.environ |= {name: str(int(value)) for name, value in asked.items() if value is not None}
    profile = config.get(options.profile)
    config.check_seed(options.seed)
    if options.bless and profile.name != "smoke":
        raise config.SettingsError("only smoke runs can be blessed: the golden notebooks are smoke runs")
    state = _state(profile, options.seed)
    notebooks = plan(profile, options.seed, state)
    known = tuple(one.name for one in notebooks)
    chosen = {config.check_choice("notebook", name, known) for name in options.only or known}
    todo = [one for one in notebooks if one.name in chosen]
    parameters = {"profile": profile.name, "seed": options.seed}
    for one in todo:  # papermill itself only warns of unknown parameters, after it has begun
        for name in parameters:
            config.check_choice(f"parameter of {one.name}", name, tuple(papermill.inspect_notebook(str(one.source))))
    with processes.alone(paths.artifacts(profile.name)):
        waiting = [one for one in todo if options.force or not one.is_done()]
        for one in todo:
            if one not in waiting:
                print(f"{one.name}: up to date", flush=True)
        # On real data all cores or the one GPU belong to one training.
        at_once = 1 if profile.trains and profile.data != "phantoms" else 2
        for some in (waiting[:-1], waiting[-1:]):  # the last one reads the tables of the others
            if status := processes.in_threads(_run, [(one, parameters) for one in some], at_once):
                return status
        # What is done stays so when the run itself has published results of quick steps.
        renewed = plan(profile, options.seed, {**state, "results": _published(profile)})
        for old, new in zip(notebooks, renewed, strict=True):
            if old.is_done():
                store.write_json(new.file(".json"), {**old.took(), "stamp": new.stamp})
        _publish(renewed, profile, options, todo)
    return 0


def _run(notebook: Notebook, parameters: dict[str, Any]) -> int:
    """Run and report one notebook; the exit status, 0 for success."""
    print(f"{notebook.name}: running …", flush=True)
    started = time.perf_counter()
    try:
        execute(notebook, parameters)
    except (PapermillExecutionError, DeadKernelError) as error:
        log = notebook.folder / "logs" / f"{notebook.name}.log"
        with store.atomic(log) as temporary:
            temporary.write_text(str(error) + "\n", encoding="utf-8")
        kind, message = getattr(error, "ename", ""), str(getattr(error, "evalue", ""))
        lines = message.splitlines()[:4] or ["no message" if kind else "the kernel died, usually for lack of memory"]
        expected = kind in {one.__name__ for one in _USER_ERRORS}
        lines[0] = f"{notebook.name}: {'' if expected or not kind else kind + ': '}{lines[0]}"
        print(*lines, f"traceback: {paths.relative(log)}; finished steps are kept", sep="\n", file=sys.stderr)
        return 2 if expected else 1
    print(f"{notebook.name}: done in {time.perf_counter() - started:.0f} s", flush=True)
    return 0


def _publish(
    notebooks: Sequence[Notebook], profile: config.Profile, options: argparse.Namespace, chosen: Sequence[Notebook]
) -> None:
    if config.store_of(profile).publish and options.seed == 0:  # the protocol's
        busi.record()
        raw.record(*evidence.RAW)
        if message := publication.publish(notebooks, profile.name):
            print(message)
    if options.bless:
        publication.bless(chosen)
        print(f"golden notebooks: {paths.relative(publication.GOLDEN)}")
    folder = notebooks[0].folder
    executed = [one.file() for one in notebooks if one.is_done()]
    index = book.build(executed, folder / "figures", folder / "html")
    print(f"executed notebooks: {paths.relative(folder / 'notebooks')}")
    print(f"figures and tables: {paths.relative(folder / 'figures')}")
    print(f"HTML report:        {paths.relative(index)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_all.sh",
        description="Run the paper's notebooks headless, in order.",
        epilog="./run_all.sh evidence --hours H works through report/protocol.md and publishes results (--help).",
    )
    parser.add_argument("profile", nargs="?", default="smoke", help=f"one of {', '.join(config.names())}")
    parser.add_argument("--seed", type=int, default=0, help="seed of splits and trainings (default 0)")
    parser.add_argument("--only", nargs="+", metavar="NOTEBOOK", help="run these alone, for example 02_unet")
    parser.add_argument("--force", action="store_true", help="run notebooks that are up to date as well")
    parser.add_argument(
        "--train", action="store_true", default=None, help="lite: train what is not published yet, for hours"
    )
    parser.add_argument(
        "--retrain", action="store_true", default=None, help="ignore published results, and publish nothing"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="trainings at a time, in processes of one thread each")
    parser.add_argument("--bless", action="store_true", help="make this smoke run the one that tests compare with")
    return parser


if __name__ == "__main__":
    sys.exit(main())
