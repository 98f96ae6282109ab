"""Signals, child processes and the lock of a run: it is stopped in one line, and leaves no child behind."""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import psutil

from lib.core import config


class Stop(BaseException):
    """A signal that ends the run, not one job or cell; its number is the argument."""


def in_threads(function: Callable[..., int], calls: Sequence[tuple], at_once: int) -> int:
    """Make the calls, some at a time, until one returns another status than 0; return that.

    In threads, so that a signal reaches this one: nbclient would take it for a kernel that died.  Several
    are taken from both ends in turn: neighbours share jobs, and would wait for one another.
    """

    def call(*words: Any) -> int | BaseException:
        try:
            return function(*words)
        except BaseException as error:  # for the caller: the pool would wait for ever for one that is no Exception
            return error

    last = len(calls) - 1
    order = sorted(range(len(calls)), key=lambda place: min(place, last - place) if at_once > 1 else place)
    with ThreadPool(at_once) as pool:  # its threads end with the process, whatever they wait for
        waiting = [pool.apply_async(call, calls[place]) for place in order]
        while waiting:
            time.sleep(0.2)  # a lock would not let a signal through everywhere
            for answer in [one for one in waiting if one.ready()]:
                waiting.remove(answer)
                status = answer.get()
                if isinstance(status, BaseException):
                    raise status
                if status:
                    return status
    return 0


@contextmanager
def signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise :class:`Stop`, once: later ones are ignored while the run is being ended."""

    def stop(number: int, frame: object) -> None:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise Stop(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_children() -> None:
    """Kill what this process has started."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(children, timeout=5)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One run of a profile at a time; the lock of a process that died is free."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "run.lock"
    with open(lock, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise config.SettingsError(
                f"another run of this profile is under way (process {lock.read_text()}): wait for it, or stop it"
            ) from None
        lock.write_text(str(os.getpid()))
        yield
