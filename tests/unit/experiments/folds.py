"""What several tests of this room share."""

import numpy as np

from lib.core import config
from lib.data.record import ImageSet
from lib.data.sources import Phantoms
from lib.experiments.grouped_cv import GroupedCV

LITE, SMOKE = config.get("lite"), config.get("smoke", n_phantoms=60, image_size=32)
CLASSES = ("normal", "benign", "malignant")


def of_folds(folds, labels, groups=None, profile=LITE):
    """A cross-validation of images that are never read."""
    n = len(labels)
    table = ImageSet(None, np.asarray(labels), np.array([f"image {k}" for k in range(n)]), CLASSES, "images")
    return GroupedCV(Phantoms(n), profile, 0, np.asarray(folds), table, np.arange(n) if groups is None else groups)


def all_jobs(job):
    """A job and everything that it is made of."""
    yield job
    for one, _ in job.inputs():
        yield from all_jobs(one)
