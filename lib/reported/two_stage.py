"""The numbers printed in paper A, as data frames: what every reproduced number stands beside.

Long, Guan, Holden: A Two-Stage Neural Network Model for Breast Ultrasound Image Classification.
Columns of both tables: ``accuracy``, then ``precision normal`` … ``f1 malignant``, as
:func:`lib.evaluation.metrics.table_row` makes them.
"""

import io

import pandas as pd

from lib.data.busi import CLASSES

COLUMNS = ("accuracy", *(f"{measure} {name}" for measure in ("precision", "recall", "f1") for name in CLASSES))

_TABLE_I = """
image, 0.8734, 0.8125, 0.9070, 0.8500, 0.9286, 0.8864, 0.8095, 0.8667, 0.8966, 0.8293
mask, 0.8861, 1.0000, 0.8889, 0.8000, 1.0000, 0.9091, 0.7619, 1.0000, 0.8989, 0.7805
image+mask, 0.9241, 0.9333, 0.9524, 0.8636, 1.0000, 0.9091, 0.9048, 0.9655, 0.9302, 0.8837
image+true mask, 0.9873, 1.0000, 0.9778, 1.0000, 1.0000, 1.0000, 0.9524, 1.0000, 0.9888, 0.9756
"""

_TABLE_II = """
Ours, 0.9241, 0.9333, 0.9524, 0.8636, 1.0000, 0.9091, 0.9048, 0.9655, 0.9302, 0.8837
VGG16, 0.7468, 0.6111, 0.8571, 0.6923, 0.7857, 0.6818, 0.8571, 0.6875, 0.7595, 0.7660
ResNet152, 0.6582, 0.4737, 0.8485, 0.5556, 0.6429, 0.6364, 0.7143, 0.5455, 0.7273, 0.6250
ResNet152V2, 0.8354, 0.7500, 0.8478, 0.8571, 0.6429, 0.8864, 0.8571, 0.6923, 0.8667, 0.8571
InceptionV3, 0.8101, 0.7647, 0.8222, 0.8235, 0.9286, 0.8409, 0.6667, 0.8387, 0.8315, 0.7368
InceptionResNetV2, 0.8228, 0.7857, 0.8974, 0.7308, 0.7857, 0.7955, 0.9048, 0.7857, 0.8434, 0.8085
Xception, 0.7975, 0.7692, 0.8222, 0.7619, 0.7143, 0.8409, 0.7619, 0.7407, 0.8315, 0.7619
DenseNet201, 0.8734, 0.8125, 0.9070, 0.8500, 0.9286, 0.8864, 0.8095, 0.8667, 0.8966, 0.8293
MobileNet, 0.7975, 0.7857, 0.8919, 0.6786, 0.7857, 0.7500, 0.9048, 0.7857, 0.8148, 0.7755
MobileNetV2, 0.8228, 0.9167, 0.8039, 0.8125, 0.7857, 0.9318, 0.6190, 0.8462, 0.8632, 0.7027
NASNetLarge, 0.8228, 0.8000, 0.8571, 0.7727, 0.8571, 0.8182, 0.8095, 0.8276, 0.8372, 0.7907
EfficientNetB7, 0.7468, 0.7500, 0.7647, 0.7000, 0.4286, 0.8864, 0.6667, 0.5455, 0.8211, 0.6829
EfficientNetV2L, 0.6076, 0.5000, 0.6290, 0.5385, 0.1429, 0.8864, 0.3333, 0.2222, 0.7358, 0.4118
ConvNeXtXLarge, 0.7975, 0.7143, 0.8780, 0.7083, 0.7143, 0.8182, 0.8095, 0.7143, 0.8471, 0.7556
"""

# quantity; printed value; unit; section
_TEXT = """
images; 780; images; III-A
images normal; 133; images; III-A
images benign; 437; images; III-A
images malignant; 210; images; III-A
validation loss of the U-Net, mean of 10 rounds; 0.097; nats a pixel; IV-B
validation accuracy, mean of 10 rounds; 0.9103; share; IV-B
validation accuracy, best round; 0.9359; share; IV-B
test accuracy; 0.9241; share; IV-B
test accuracy, image alone; 0.8734; share; IV-B
test accuracy, true masks; 0.9873; share; IV-B
training time of the U-Net; 45.75; s; III-C
training time of the classifier; 371.90; s; III-C
inference time an image; 4.98; s; III-C
"""


def table_i() -> pd.DataFrame:
    """Table I: test scores by the input of stage 2 (``image``, ``mask``, ``image+mask``, ``image+true mask``).

    The masks of the second and third row are predicted, those of the fourth are the ground truth.
    """
    return _read(_TABLE_I, "input")


def table_ii() -> pd.DataFrame:
    """Table II: test scores by backbone, named as in :data:`lib.models.backbones.BACKBONES`, after ``Ours``.

    The paper names families; the variants follow from "the highest reported performance on ImageNet
    from Keras Applications", which is a guess for Inception, NASNet, EfficientNet, EfficientNetV2
    and ConvNeXt.
    """
    return _read(_TABLE_II, "backbone")


def text() -> pd.DataFrame:
    """The numbers of the running text: columns ``value``, ``unit`` and ``section``, by ``quantity``."""
    frame = pd.read_csv(
        io.StringIO(_TEXT.strip()),
        sep="; ",
        engine="python",
        header=None,
        names=["quantity", "value", "unit", "section"],
    )
    return frame.set_index("quantity")


def _read(table: str, index: str) -> pd.DataFrame:
    names = [index, *COLUMNS]
    return pd.read_csv(io.StringIO(table.strip()), skipinitialspace=True, header=None, names=names).set_index(index)
