"""Signals, child processes and the lock of a run: it is stopped in one line, and leaves no child behind."""

import fcntl
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from lib.core import config


class Stop(BaseException):
    """A signal that ends the run, not one job or cell; its number is the argument."""


def in_threads(function: Callable[..., int], calls: Sequence[tuple], at_once: int) -> int:
    """Make the calls, some at a time, until one returns another status than 0; return that.

    In threads, so that a signal reaches this one: nbclient would take it for a kernel that died.  Every
    second thread begins at the end: neighbours share jobs, and would wait for one another.
    """
    waiting, answers = deque(calls), queue.SimpleQueue[int | BaseException]()

    def work(take: Callable[[], tuple]) -> None:
        with suppress(IndexError):
            while True:
                words = take()
                try:
                    answers.put(function(*words))
                except BaseException as error:  # handed to the caller's thread
                    answers.put(error)

    for number in range(at_once):
        take = waiting.pop if number % 2 else waiting.popleft
        threading.Thread(target=work, args=(take,), daemon=True).start()
    for _ in calls:
        while answers.empty():
            time.sleep(0.2)
        answer = answers.get()
        if isinstance(answer, BaseException):
            raise answer
        if answer:
            waiting.clear()
            return answer
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
    with open(folder / "run.lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise config.SettingsError(
                f"another run of this profile is under way (process {file.read().strip()}): wait for it, or stop it"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
