"""Seeds, determinism, backend and device of a run; quiet logs.  Only this module names a backend."""

import importlib.util
import logging
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from typing import Any, TextIO

from lib.core import paths

_PACKAGES = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "jax": ("jax",), "torch": ("torch",)}


def set_environment() -> None:
    """Choose the backend, TensorFlow unless only another is installed, and silence it; must run before keras."""
    if not os.environ.get("KERAS_BACKEND"):
        installed = [name for name in _PACKAGES if importlib.util.find_spec(name)]
        os.environ["KERAS_BACKEND"] = (*installed, "tensorflow")[0]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "3")
    # TensorFlow's advice on retracing is for loops over one model, not for many small models in a row.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and the backend.

    Called before a network is built.  One that is used again draws from generators of its own
    (:func:`lib.models.training.network`): TensorFlow forgets all its compiled kernels when it is seeded,
    which costs each of its networks a second.
    """
    import keras

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # its import has reset the level
    keras.utils.set_random_seed(seed)


def use_deterministic_operations() -> None:
    """Ask the backend for operations that give the same result in every run on one device."""
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


ONE_THREAD = "one thread"
LOG = "PAPER_LOG"  # environment variable: worker processes show their progress too


def show_progress(stream: TextIO = sys.stdout) -> None:
    """Print the log of lib, one line per epoch and job, to ``stream``."""
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("lib").setLevel(logging.INFO)


@lru_cache
def prepare_worker() -> None:
    """Once a worker process, before its first operation: one thread of computation, repeatable operations.

    Every backend sizes its pool of threads by the cores that the process may use at its first
    operation; so that is run on one core, and then all threads may go where there is room.
    """
    import keras

    if os.environ.get(LOG):
        show_progress()
    if hasattr(os, "sched_setaffinity"):
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        keras.ops.convert_to_numpy(keras.ops.ones((2, 2)) @ keras.ops.ones((2, 2)))
        for thread in os.listdir("/proc/self/task"):
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread), cores)
    use_deterministic_operations()


@lru_cache
def made_by() -> dict[str, str]:
    """What a result carries about its making: machine and commit."""
    return {"machine": machine(), "commit": commit()}


@lru_cache
def commit() -> str:
    """Short commit of the code, ``+`` appended if tracked files differ from it; empty outside a checkout."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", paths.ROOT, *words], capture_output=True, text=True, check=True).stdout

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "lib", "notebooks")
        return git("rev-parse", "--short", "HEAD").strip() + ("+" if changed.strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def backend_id() -> str:
    """Backend, its version and Keras', for the folder of working results: floats differ between them."""
    # From the environment and the packages' metadata: importing Keras takes seconds.
    return f"{os.environ['KERAS_BACKEND']}-{_backend_version()}-keras-{metadata.version('keras')}"


def versions() -> dict[str, Any]:
    """What a run ran on: ``python``, ``keras``, ``backend``, ``device`` and ``cores``."""
    return {
        "python": platform.python_version(),
        "keras": metadata.version("keras"),
        "backend": f"{os.environ['KERAS_BACKEND']} {_backend_version()}",
        "device": _device(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    }


def machine() -> str:
    """:func:`versions` in the one line that notebooks print and tables carry, with the threads of a worker process."""
    line = "Python {python} · Keras {keras} on {backend} · {device} · {cores} cores".format(**versions())
    return line + (f" · {ONE_THREAD}" if prepare_worker.cache_info().currsize else "")


def threads(line: str) -> int:
    """Threads behind a result, from the line of :func:`machine` that it carries; 1 for what a GPU computed."""
    cores = re.search(r"CPU · (\d+) cores$", line)
    return int(cores[1]) if cores else 1


def _backend_version() -> str:
    names = _PACKAGES.get(os.environ["KERAS_BACKEND"], ())
    return next((one.version for name in names for one in metadata.distributions(name=name)), "")


def _device() -> str:
    match os.environ["KERAS_BACKEND"]:
        case "tensorflow":
            import tensorflow as tf

            gpus = tf.config.list_physical_devices("GPU")
            return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
        case "jax":
            import jax

            device = jax.devices()[0]
            return "CPU" if device.platform == "cpu" else device.device_kind
        case "torch":
            import torch

            return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return "CPU"
