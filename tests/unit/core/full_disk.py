"""``python -m tests.unit.core.full_disk FOLDER``: what a full disk leaves; the folder is a small one's.

Prints what a job and a training say while the disk is full, and whether both end as if it had not been.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from lib.core import jobs, runtime
from lib.core.store import Store, StoreError
from tests.unit.core import steps
from tests.unit.models import killed_training


def fill(folder: Path) -> Path:
    """Take all that is left of the disk, and return the file that takes it."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return filler


def job_on_a_full_disk(folder: Path) -> None:
    store, first, second = Store(folder / "results"), steps.numbers(seed=1), steps.numbers(seed=2, n=4000)
    jobs.run([first], store)
    filler = fill(folder)
    try:
        jobs.run([second], store)
    except StoreError as error:
        print(error)
    left = [file.name for file in store.file(first).parent.glob("*.npz")]
    assert left == [f"{first.key}.npz"], f"half a file or a temporary one is left: {left}"
    filler.unlink()
    found = jobs.run([first, second], store)
    wanted = [dict(job.step.function(**job.arguments)) for job in (first, second)]
    same = all(np.array_equal(one["values"], two["values"]) for one, two in zip(found, wanted, strict=True))
    print("results are those of an undisturbed run" if same else "results differ")


def training_on_a_full_disk(folder: Path) -> None:
    runtime.seed_everything(0)
    runtime.use_deterministic_operations()
    undisturbed, disturbed = folder / "undisturbed.npz", folder / "disturbed.npz"
    killed_training.train(undisturbed, 1)
    state = folder / "training.state"
    at_twenty = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epoch == 20 and fill(folder))
    try:
        killed_training.train(disturbed, 1, state, [at_twenty])
    except StoreError as error:
        print(error)
    (folder / "filler").unlink()
    epochs = []
    again = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    killed_training.train(disturbed, 1, state, [again])
    assert epochs[0] == 20, f"it went on in epoch {epochs[0]}"
    one, two = np.load(undisturbed), np.load(disturbed)
    same = all(np.array_equal(one[name], two[name]) for name in one)
    print("weights are those of an undisturbed run" if same else "weights differ")


if __name__ == "__main__":
    job_on_a_full_disk(Path(sys.argv[1]))
    training_on_a_full_disk(Path(sys.argv[1]))
