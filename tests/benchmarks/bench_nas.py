"""Measures what the architecture search must reach; ``python -m tests.benchmarks.bench_nas`` or as a script.

- parameter counts a second without building a model: at least 10,000
- a search on small digits (BbNAS, 1 + 4 + 8 models, 1 epoch each): at most 60 s in two processes
- its overhead outside training: at most 1 %, measured in one process, where nothing runs beside the training
- the same search again, from its results: at most 5 s
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from lib.core import jobs
from lib.core.store import Store
from lib.data.sources import SmallDigits
from lib.nas.child import Recipe, nas_child
from lib.nas.notation import parse
from lib.nas.search import Search, SearchSettings
from lib.nas.transforms import paper_space
from lib.reported import nas as reported


def counts_a_second(seconds: float = 1.0) -> float:
    """Counts of all printed architectures, over and over."""
    rows = reported.architectures()
    work = [(parse(row.text), (row.height, row.width, row.channels)) for row in rows.itertuples()]
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for architecture, shape in work:
            architecture.count_params(shape)
        done += len(work)
    return done / (time.perf_counter() - began)


def small_search(store: Store, workers: int) -> tuple[Search, float]:
    """BbNAS on the small digits, 2 iterations, 1 epoch a child; the result and the seconds it took."""
    parts = {"train": np.arange(400), "validation": np.arange(400, 600), "seed": 0, "settings": Recipe(epochs=1)}

    def child(architecture):
        return nas_child(data=SmallDigits(), text=str(architecture.canonical), **parts)

    settings = SearchSettings(paper_space("IB", 10), (8, 8, 1), iterations=2)
    began = time.perf_counter()
    found = Search(settings, child, lambda wave: jobs.run(wave, store, workers=workers))
    return found, time.perf_counter() - began


def main() -> int:
    """Print the figures; the exit status is the number of those missed."""
    with tempfile.TemporaryDirectory() as name:
        two, wall = small_search(Store(Path(name) / "two"), workers=2)
        store = Store(Path(name) / "one")
        one, alone = small_search(store, workers=0)
        overhead = 1 - sum(store.about(job)["seconds"] for job in one.jobs) / alone
        _, again = small_search(store, workers=0)
    figures = [
        ("parameter counts a second", counts_a_second(), 10_000, "at least"),
        (f"search in 2 processes, {len(two.jobs)} models, s", wall, 60, "at most"),
        ("overhead outside training, share", overhead, 0.01, "at most"),
        ("the same search from its results, s", again, 5, "at most"),
    ]
    missed = 0
    for what, value, limit, direction in figures:
        reached = value >= limit if direction == "at least" else value <= limit
        missed += not reached
        print(f"{what:50} {value:14,.4f}   {direction} {limit:,}   {'reached' if reached else 'MISSED'}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
