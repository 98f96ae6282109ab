"""What others print for BUSI: a scale beside our figures, not a comparison, since data and splits differ."""

import pandas as pd

_SEGMENTATION = {
    "U-Net": (0.770, 0.686),
    "Mobile U-ViT": (0.812, 0.729),
}


def segmentation() -> pd.DataFrame:
    """Lesions only: ``dice`` (printed as F1), ``iou``, and the protocol: 647 images of 256 pixels, split at random."""
    table = pd.DataFrame(_SEGMENTATION, index=["dice", "iou"]).T
    return table.assign(images=647, protocol="256 pixels, random split")


def classification() -> pd.DataFrame:
    """``accuracy`` and its standard deviation, ``sd``, of the best published split that is mostly free of relatives."""
    row = {"accuracy": 0.802, "sd": 0.018, "images": 450, "protocol": "Curated BUSI, 4 folds"}
    return pd.DataFrame([row], index=["multi-task UNet++"])
