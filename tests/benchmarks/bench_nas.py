"""Measures what the architecture search must reach; ``python -m tests.benchmarks.bench_nas`` or as a script.

- parameter counts a second without building a model: at least 10,000
- a smoke search (digits, 2 iterations): at most 60 s on two cores
- its overhead outside training: at most 1 %, measured in one process, where nothing runs beside the training
- start of a resumed search until it is where it was: at most 5 s
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lib.data import digits, splits
from lib.nas.notation import parse
from lib.nas.search import search
from lib.nas.settings import Result, Settings
from lib.nas.training import Data, Recipe
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


def smoke_search(folder: Path, n_jobs: int) -> tuple[Result, float]:
    """BbNAS on the small digits, 2 iterations, 1 epoch a child; the result and the seconds it took."""
    images = digits.small()
    train, validation = splits.sample(images.labels, (400, 200), 0)
    parts = (images.images[train], images.labels[train], images.images[validation], images.labels[validation])
    settings = Settings(paper_space("IB", 10), Recipe(epochs=1), iterations=2)
    began = time.perf_counter()
    result = search(Data(*parts, 10), settings, folder, n_jobs=n_jobs)
    return result, time.perf_counter() - began


def main() -> int:
    """Print the figures; the exit status is the number of those missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        two, wall = smoke_search(folder / "two", n_jobs=2)
        one, _ = smoke_search(folder / "one", n_jobs=0)
        again, resumed = smoke_search(folder / "one", n_jobs=0)
        overhead = 1 - one.frame.seconds.sum() / one.wall
    figures = [
        ("parameter counts a second", counts_a_second(), 10_000, "at least"),
        (f"smoke search in 2 processes, {len(two.frame)} models, s", wall, 60, "at most"),
        ("overhead outside training, share", overhead, 0.01, "at most"),
        (f"resume with {again.trained} models to train, s", resumed, 5, "at most"),
    ]
    missed = 0
    for what, value, limit, direction in figures:
        reached = value >= limit if direction == "at least" else value <= limit
        missed += not reached
        print(f"{what:50} {value:14,.4f}   {direction} {limit:,}   {'reached' if reached else 'MISSED'}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
