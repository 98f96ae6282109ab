"""What paper A prints: what every reproduced number stands beside.

Long, Guan, Holden: A Two-Stage Neural Network Model for Breast Ultrasound Image Classification.  Columns of
both tables: ``accuracy``, then ``precision normal`` … ``f1 malignant``, as
:func:`lib.evaluation.metrics.table_row` makes them.
"""

import pandas as pd

from lib.reported import read

BACKBONE = "DenseNet201"  # of the paper's own model


def table_i() -> pd.DataFrame:
    """Table I: test scores by the input of stage 2, named as in :mod:`lib.experiments.input_ablation`."""
    return read("two_stage_table_i")


def table_ii() -> pd.DataFrame:
    """Table II: test scores by backbone, named as in :data:`lib.models.backbones.BACKBONES`, after ``Ours``.

    The paper names families; the variants follow from "the highest reported performance on ImageNet from
    Keras Applications", which is a guess for Inception, NASNet, EfficientNet, EfficientNetV2 and ConvNeXt.
    """
    return read("two_stage_table_ii")


def text() -> pd.DataFrame:
    """The numbers of the running text: columns ``value``, ``unit`` and ``section``, by ``quantity``."""
    return read("two_stage_text")
