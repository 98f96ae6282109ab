"""One notebook's run: its profile and seed, the folders it writes, and the labels of what it shows.

A figure or table is saved with a sidecar that says which notebook, profile, seed, commit, data and
machine made it, so a picture in a talk can be traced to the code and the numbers behind it.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from lib.core import artifacts, paths, runtime
from lib.core import config as profiles


@dataclass(frozen=True)
class Run:
    """Where one notebook of one profile reads and writes."""

    notebook: str
    profile: profiles.Profile
    seed: int

    @property
    def folder(self) -> Path:
        """``artifacts/<profile>``; holds ``cache``, ``models``, ``figures``, ``notebooks``, ``logs``."""
        return paths.artifacts(self.profile.name)

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def figures(self) -> Path:
        return self.folder / "figures"

    def with_cuts(self, cuts: str) -> "Run":
        """The same run with a chapter's own cuts in the captions of its tables, in place of the general ones."""
        return replace(self, profile=replace(self.profile, cuts=cuts))

    def save_figure(self, figure: Figure, name: str, table: pd.DataFrame | None = None) -> Figure:
        """Write ``name`` as PNG and PDF with a sidecar, and the data behind it as CSV; return the figure."""
        for suffix in (".png", ".pdf"):
            # PDF files carry their creation time unless told not to: equal figures are equal files.
            metadata = {"CreationDate": None} if suffix == ".pdf" else {}
            with artifacts.atomic(self.figures / f"{name}{suffix}") as temporary:
                figure.savefig(temporary, dpi=150, metadata=metadata)
        source = None
        if table is not None:
            source = f"{name}.csv"
            with artifacts.atomic(self.figures / source) as temporary:
                table.to_csv(temporary)
        self._write_sidecar(name, {"table": source})
        return figure

    def save_table(self, table: pd.DataFrame, name: str, caption: str, precision: int = 3):
        """Write ``table`` as CSV with a sidecar; return it styled, with a caption that says what was cut."""
        with artifacts.atomic(self.figures / f"{name}.csv") as temporary:
            table.to_csv(temporary)
        self._write_sidecar(name, {"caption": caption})
        text = f"{caption} · profile {self.profile.name} (cut: {self.profile.cuts})"
        # A fixed identifier: otherwise the HTML differs from run to run.
        return table.style.set_caption(text).format(precision=precision, na_rep="–").set_uuid(name)

    def describe(self, name: str, caption: str) -> None:
        """The sidecar of a file ``name`` that was written into ``figures`` by other means."""
        self._write_sidecar(name, {"caption": caption})

    def read_table(self, name: str, index_col=0) -> pd.DataFrame:
        """A table that this or an earlier notebook of the same profile wrote with :meth:`save_table`."""
        path = self.figures / f"{name}.csv"
        if not path.exists():
            raise FileNotFoundError(f"{paths.relative(path)} is missing: run the notebook that writes it first")
        return pd.read_csv(path, index_col=index_col)

    def _write_sidecar(self, name: str, more: dict) -> None:
        source = {
            "notebook": self.notebook,
            "profile": asdict(self.profile),
            "seed": self.seed,
            "commit": runtime.commit(),
            "machine": asdict(runtime.machine()),
        }
        artifacts.write_json(self.figures / f"{name}.json", {**source, **more})


def start(notebook: str, profile: str, seed: int, **overrides) -> Run:
    """Check the parameters, seed everything and return the notebook's :class:`Run`.

    Raises
    ------
    lib.core.config.SettingsError
        For an unknown profile, an unknown override, or a seed that is no integer from 0 to 2**32 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise profiles.SettingsError(f"seed must be an integer from 0 to 2**32 - 1, not {seed!r}")
    run = Run(notebook, profiles.get(profile, **overrides), seed)
    runtime.seed_everything(seed)
    runtime.use_deterministic_operations()
    _show_figures_as_pictures()
    return run


def _show_figures_as_pictures() -> None:
    """Let a notebook draw a cell's last value if it is a Figure; pyplot, which would do so, is not used."""
    from IPython import get_ipython
    from IPython.core.pylabtools import select_figure_formats

    if (shell := get_ipython()) is not None:
        select_figure_formats(shell, {"png"})
