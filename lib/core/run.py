"""One notebook's run: its profile and seed, its results, and the figures and tables it saves.

A figure or table is saved with a sidecar that says which notebook, profile, seed, commit, data and
machine made it, so a picture in a talk can be traced to the code and the numbers behind it.
"""

import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from IPython import get_ipython
from IPython.core.pylabtools import select_figure_formats
from IPython.display import HTML
from matplotlib.figure import Figure

from lib.core import config, jobs, paths, runtime, store, tables

FIGURES = "PAPER_FIGURES"  # environment variable: where a headless run collects figures, by notebook
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """Where one notebook of one profile reads and writes."""

    notebook: str
    profile: config.Profile
    seed: int

    @property
    def folder(self) -> Path:
        """``artifacts/<profile>``; holds ``results``, ``figures``, ``notebooks``, ``html``."""
        return paths.artifacts(self.profile.name)

    @property
    def figures(self) -> Path:
        return Path(os.environ.get(FIGURES) or self.folder / "figures") / self.notebook

    @cached_property
    def store(self) -> store.Store:
        return config.store_of(self.profile)

    def results(self, wanted: Mapping[Any, jobs.Job] | Iterable[jobs.Job], extras: Sequence[str] = ()) -> Any:
        """Results of the jobs: a list in their order, or a dictionary by their names; see :func:`lib.core.jobs.run`.

        A profile that does not train looks costly jobs up only: those that are not published have
        :data:`lib.core.jobs.NOT_DONE` for an error.
        """
        if isinstance(wanted, Mapping):
            return dict(zip(wanted, self.results(wanted.values(), extras), strict=True))
        workers, train = self.profile.workers, self.profile.trains
        return jobs.run(wanted, self.store, workers=workers, train=train, extras=extras, report=_log.info)

    def result(self, job: jobs.Job, extras: Sequence[str] = ()) -> jobs.Result:
        """The result of one job."""
        return self.results([job], extras)[0]

    def save_figure(
        self, figure: Figure | None, name: str, table: pd.DataFrame | None = None, of: str = ""
    ) -> Figure | None:
        """Write ``name`` as PNG and PDF with a sidecar, and the data behind it as CSV; return the figure.

        ``of``: which data it shows, and how many; the book puts it behind the caption.  None, where a figure needs
        images or results that are not at hand, is passed over.
        """
        if figure is None:
            print(f"Figure {name} is left out: the images or results that it shows are not at hand.")
            return None
        # PDF files carry their creation time unless told not to: equal figures are equal files.
        for suffix, metadata in ((".png", {}), (".pdf", {"CreationDate": None})):
            with store.atomic(self.figures / f"{name}{suffix}") as temporary:
                figure.savefig(temporary, dpi=200, metadata=metadata)
        self._write(name, table, {"table": None if table is None else f"{name}.csv", "of": of})
        return figure

    def save_table(
        self,
        table: pd.DataFrame,
        name: str,
        caption: str,
        precision: int = 3,
        rows: int | None = None,
        shown: pd.DataFrame | None = None,
    ) -> HTML:
        """Write ``table`` as CSV with a sidecar; return it, or ``shown``, as :mod:`tables` draws it.

        ``precision``: decimals that are shown; ``rows``: the first so many are.
        """
        self._write(name, table, {"caption": caption})
        return HTML(tables.draw(table if shown is None else shown, name, caption, precision, rows))

    def _write(self, name: str, table: pd.DataFrame | None, more: dict[str, Any]) -> None:
        """The table as CSV, and the sidecar with ``more`` in it."""
        if table is not None:
            with store.atomic(self.figures / f"{name}.csv") as temporary:
                # More decimals than are shown: what reads the file rounds once, and not what is rounded already.
                table.to_csv(temporary, float_format="%.6f")
        source = {
            "notebook": self.notebook,
            "profile": asdict(self.profile),
            "seed": self.seed,
            "commit": runtime.commit(),
            "machine": runtime.versions(),
        }
        store.write_json(self.figures / f"{name}.json", {**source, **more})


def start(notebook: str, profile: str, seed: int, **overrides) -> Run:
    """Check the parameters, seed everything and return the notebook's :class:`Run`.

    Raises
    ------
    lib.core.config.SettingsError
        For an unknown profile, an unknown override, or a seed that is no integer from 0 to 2**32 - 1.
    """
    config.check_seed(seed)
    run = Run(notebook, config.get(profile, **overrides), seed)
    runtime.seed_everything(seed)
    runtime.use_deterministic_operations()
    if FIGURES not in os.environ:  # a page that is read later needs no progress
        runtime.show_progress(sys.stderr)
    if (shell := get_ipython()) is not None:
        # A notebook draws a cell's last value if it is a Figure; pyplot, which would do so, is not used.
        select_figure_formats(shell, {"png"})
    return run
