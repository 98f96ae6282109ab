"""Stage 1 with an ImageNet encoder; the paper leaves better segmentation to future work."""

import keras
from keras import layers

from lib.models import backbones

# The last map of each resolution in MobileNetV2, finest first: 1/2, 1/4, 1/8 and 1/16 of the input.
_SKIPS = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")
_DEEPEST = "block_16_project_BN"  # 1/32
_FIRST_TRAINED = "block_3_expand"
_WIDTHS = (24, 48, 64, 96)  # of the decoder, finest first


def build_pretrained_unet(
    size: int = 128, weights: str = "imagenet", *, dropout: float = 0.1, bn_momentum: float = 0.9, seed: int = 0
) -> keras.Model:
    """A U-Net whose contraction path is MobileNetV2, fine-tuned from its fourth block on.

    The encoder's batch normalisation stays as ImageNet left it: batches of 8 or 16 are too few to
    estimate it anew.  The mask is computed at half the resolution and interpolated, because at full
    resolution the last two convolutions would cost more than all others.

    Parameters
    ----------
    size : side of the images in pixels, divisible by 32.
    weights : ``"imagenet"`` or ``"random"``, of the encoder (see :func:`lib.models.backbones.build`).
    dropout : rate before each expansion block.
    bn_momentum : of the decoder's batch normalisation.
    seed : of all initial weights.

    Returns
    -------
    Model from images (n, size, size, 3) in [0, 1] to masks (n, size, size, 1) in [0, 1], with a layer
    ``bottleneck`` of size/32 × size/32 × 320.
    """
    if size % 32:
        raise ValueError(f"the size must be divisible by 32, not {size}")
    encoder = backbones.build("MobileNetV2", size, weights, seed)
    trained = False
    for layer in encoder.layers:
        trained = trained or layer.name == _FIRST_TRAINED
        layer.trainable = trained and not isinstance(layer, layers.BatchNormalization)
    names = [*_SKIPS, _DEEPEST]
    encoder = keras.Model(encoder.input, [encoder.get_layer(name).output for name in names], name="encoder")
    inputs = keras.Input((size, size, 3), name="image")
    *skips, x = encoder(layers.Rescaling(2.0, -1.0)(inputs))
    x = layers.Activation("linear", name="bottleneck")(x)

    def convolution(x, width, kernel):
        x = layers.Conv2D(width, kernel, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        return layers.Activation("relu")(layers.BatchNormalization(momentum=bn_momentum)(x))

    for width, skip in zip(reversed(_WIDTHS), reversed(skips), strict=True):
        # The skips of an inverted residual are wide; a 1×1 convolution keeps what the decoder needs.
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), convolution(skip, width // 2, 1)])
        x = convolution(layers.Dropout(dropout)(x), width, 3)
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.Conv2D(1, 1)(x))
    return keras.Model(inputs, layers.Activation("sigmoid", name="mask")(x), name="pretrained_unet")
