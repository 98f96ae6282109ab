"""What tables say of pixels, as a quick job, so that they can be shown where the images are absent."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lib.core import jobs
from lib.core.jobs import Result
from lib.data.record import ImageSet


@jobs.step("image_statistics", version=1, quick=True)
def image_statistics(data: ImageSet) -> dict[str, Any]:
    """Areas of lesions, softness of masks, contrast of images, as a job.

    Returns
    -------
    ``area``: share of each image that its mask covers, float32 (n,); ``soft``: share of mask values strictly
    between 0 and 1; ``contrast``: standard deviation of an image's pixels, mean over images.
    """
    return {
        "area": data.masks.mean(axis=(1, 2, 3), dtype=np.float64).astype(np.float32),
        "soft": float(((data.masks > 0) & (data.masks < 1)).mean()),
        "contrast": float(data.images.std(axis=(1, 2), dtype=np.float64).mean()),
    }


def areas(result: Result, data: ImageSet) -> pd.DataFrame:
    """``class`` and ``area`` of each image of ``data``, which needs no pixels; empty while the job is not done."""
    if not result:
        return pd.DataFrame({"class": [], "area": []})
    return pd.DataFrame({"class": np.array(data.classes)[data.labels], "area": result["area"]}, data.names)


def of_versions(results: Mapping[str, Result]) -> pd.DataFrame:
    """Softness of masks and contrast of images, one row per version of the data; NaN while a job is not done."""
    columns = {"soft": "share of soft mask pixels", "contrast": "contrast (SD of an image)"}
    rows = {name: [result[key] if result else np.nan for key in columns] for name, result in results.items()}
    return pd.DataFrame.from_dict(rows, "index", columns=list(columns.values()))
