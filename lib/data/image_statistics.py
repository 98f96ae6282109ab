"""What tables show of pixels, as a quick job, so that they can be shown where the images are absent."""

from typing import Any

import numpy as np

from lib.core import jobs
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
