"""Steps for the tests of core; a module of its own, so that worker processes can import it."""

import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from lib.core import jobs, store


@dataclass(frozen=True)
class Settings:
    rate: float = 1.0
    name: str = "a"


@dataclass(frozen=True)
class Data:
    """A source of two numbers."""

    files: str = "abc"

    def describe(self):
        return {"source": "data", "files": self.files}

    def load(self):
        return np.array([3.0, 4.0])


@jobs.step("numbers", version=1)
def numbers(seed, n=3, settings=Settings(), chosen=None, data=None):
    # Local names and comments like this one are in no key.
    drawn = np.random.default_rng(seed).normal(size=n).astype(np.float32) * np.float32(settings.rate)
    return {"values": drawn if data is None else drawn[:2] + data, "text": f"seed {seed}"}


@jobs.step("total", version=1, quick=True)
def total(parts):
    return {"total": sum(float(part["values"].sum()) for part in parts)}


@jobs.step("network", version=1, working_only=("weights",))
def network(seed):
    count = _count("network")
    return {"score": 10 * seed + count, "weights": [np.full(4, seed + count), np.zeros((2, 2))]}


@jobs.step("scored", version=1, needs={"trained": ("weights",)})
def scored(trained, images=0):
    return {"sum": float(trained["weights"][0].sum()), "score": trained["score"]}


@jobs.step("scores_alone", version=1)
def scores_alone(trained):
    return {"score": trained["score"]}


@jobs.step("diverging", version=1)
def diverging(seed=0):
    _count("diverging")
    raise jobs.JobError("the loss is not a number any more")


@jobs.step("broken", version=1)
def broken(seed=0):
    _count("broken")
    raise MemoryError("no more of it\nsecond line")


@jobs.step("resumed", version=1)
def resumed(seed, state=None):
    begun = state.exists()
    store.write(state, {"seconds": 100.0}, {"key": "state"})
    if not begun:
        raise KeyboardInterrupt
    return {"seed": seed}


@jobs.step("slow", version=1)
def slow(seed):
    print("sleeping", flush=True)
    time.sleep(60)
    return {"seed": seed}


@jobs.step("killed", version=1)
def killed(seed=0):
    os.kill(os.getpid(), signal.SIGKILL)


def _count(name: str) -> int:
    """How often this was called in the test, counted in a file."""
    path = os.environ["TEST_COUNTS"]
    with open(path, "a") as file:
        file.write(f"{name}\n")
    return counted(name)


def counted(name: str) -> int:
    if not os.path.exists(os.environ["TEST_COUNTS"]):
        return 0
    with open(os.environ["TEST_COUNTS"]) as file:
        return file.read().split().count(name)
