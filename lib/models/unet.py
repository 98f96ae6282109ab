"""Stage 1: the U-Net that predicts the lesion mask (paper A, II-B and III-B)."""

import keras
from keras import layers, regularizers

from lib.core.config import check_choice

# The weights of both regularisers are those of the authors' code; the paper gives none.
PENALTIES = {"none": None, "l1": regularizers.L1(1e-3), "l2": regularizers.L2(1e-3)}
_BLOCKS = 5  # contraction blocks, the last without pooling


def build_unet(
    input_shape: tuple[int, int, int] = (128, 128, 3),
    filters: int = 16,
    *,
    dropout: float = 0.1,
    decoder_dropout: bool = True,
    upsampling: str = "transposed",
    regularizer: str = "none",
    batch_norm: bool = True,
    bn_momentum: float = 0.99,
) -> keras.Model:
    """The paper's U-Net: 5 contraction blocks, 4 expansion blocks, a 1×1 sigmoid output.

    The defaults are the configuration that III-B ends with, in the widths of the authors' code:
    2,164,593 parameters (weights and batch-norm statistics) for 128 × 128 × 3.

    Parameters
    ----------
    input_shape : height, width, channels; height and width divisible by 16.
    filters : filters of the first block; they double with each block (16, 32, 64, 128, 256).
    dropout : rate after each pooling and in each expansion block, 0 ≤ rate < 1.
    decoder_dropout : False leaves out the expansion blocks' dropout.  The paper has it; in the
        authors' code it is dead, because the next convolution takes the tensor before it.
    upsampling : ``"transposed"`` 3×3 convolutions with stride 2, or ``"bilinear"`` interpolation.
    regularizer : ``"none"``, ``"l1"`` or ``"l2"`` on the 3×3 kernels, weight 0.001.
    batch_norm : whether each 3×3 convolution is followed by batch normalisation.
    bn_momentum : of the running statistics.  With 20 steps per epoch, Keras' 0.99 takes about ten
        epochs to forget the start: short trainings want less.

    Returns
    -------
    Model from images (n, height, width, channels) in [0, 1] to masks (n, height, width, 1) in [0, 1].
    """
    check_choice("upsampling", upsampling, ("transposed", "bilinear"))
    check_choice("regularizer", regularizer, tuple(PENALTIES))
    factor = 2 ** (_BLOCKS - 1)
    if input_shape[0] % factor or input_shape[1] % factor:
        raise ValueError(f"height and width must be divisible by {factor}, not {input_shape[:2]}")

    def convolutions(x, width):
        for _ in range(2):
            penalty = PENALTIES[regularizer]
            x = layers.Conv2D(width, 3, padding="same", kernel_initializer="he_normal", kernel_regularizer=penalty)(x)
            if batch_norm:
                x = layers.BatchNormalization(momentum=bn_momentum)(x)
            x = layers.Activation("relu")(x)
        return x

    def upsample(x, width):
        if upsampling == "bilinear":
            return layers.UpSampling2D(2, interpolation="bilinear")(x)
        return layers.Conv2DTranspose(width, 3, strides=2, padding="same")(x)

    widths = [filters * 2**block for block in range(_BLOCKS)]
    inputs = x = keras.Input(input_shape, name="image")
    skips = []
    for width in widths[:-1]:
        x = convolutions(x, width)
        skips.append(x)
        x = layers.Dropout(dropout, seed=0)(layers.MaxPooling2D(2)(x))
    x = layers.Dropout(dropout, seed=0, name="bottleneck")(convolutions(x, widths[-1]))
    for width, skip in zip(reversed(widths[:-1]), reversed(skips), strict=True):
        x = layers.Concatenate()([upsample(x, width), skip])
        if decoder_dropout:
            x = layers.Dropout(dropout, seed=0)(x)
        x = convolutions(x, width)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x), name="unet")
