"""Signals, child processes and the lock of a run: it is stopped in one line, and leaves no child behind."""

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from lib.core import config


class Stop(BaseException):
    """A signal that ends the run, not one job or cell; its number is the argument."""


def in_thread(function: Callable, *words: Any, **options: Any) -> None:
    """Call in a thread, so that a signal reaches this one: nbclient would take it for a kernel that died."""
    errors: list[BaseException] = []

    def call() -> None:
        try:
            function(*words, **options)
        except BaseException as error:  # handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
    if errors:
        raise errors[0]


@contextmanager
def signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise :class:`Stop`."""

    def stop(number: int, frame: object) -> None:
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
