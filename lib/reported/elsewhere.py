"""What others print for BUSI: a scale beside our figures, not a comparison, since data and splits differ."""

import pandas as pd

from lib.reported import read


def segmentation() -> pd.DataFrame:
    """Masks of lesions only: ``dice`` (printed as F1), ``iou``, ``images`` and ``protocol``, by network."""
    return read("elsewhere_segmentation")


def classification() -> pd.DataFrame:
    """``accuracy`` with its standard deviation ``sd``, ``images`` and ``protocol`` of the best split that keeps
    most related images together (Aumente-Maestro et al. 2024, Table 5)."""
    return read("elsewhere_classification")
