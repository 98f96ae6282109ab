"""Stage 1 with an ImageNet encoder; the paper leaves better segmentation to future work."""

import keras
from keras import layers

from lib.models import backbones

# By ImageNet network: layers with the last map of each resolution, from 1/2 of the input on, and the deepest layer;
# the first layer that is trained; widths of the decoder, finest first; factor and offset of values in [0, 1].
_ENCODERS: dict[str, tuple] = {
    "MobileNetV2": (
        ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu"),
        "block_16_project_BN",
        "block_3_expand",
        (24, 48, 64, 96),
        (2.0, -1.0),
    ),
    "VGG16": (
        ("block2_conv2", "block3_conv3", "block4_conv3"),
        "block5_conv3",
        "block2_conv1",
        (32, 64, 128),
        (255.0, (-103.939, -116.779, -123.68)),
    ),
}


def build_pretrained_unet(
    size: int = 128,
    weights: str = "imagenet",
    *,
    encoder: str = "MobileNetV2",
    dropout: float = 0.1,
    batch_norm: bool = True,
    bn_momentum: float = 0.9,
) -> keras.Model:
    """A U-Net whose contraction path is an ImageNet network, fine-tuned but for its first blocks.

    The encoder's batch normalisation stays as ImageNet left it: batches of 8 or 16 are too few to
    estimate it anew.  The mask is computed at half the resolution and interpolated, because at full
    resolution the last two convolutions would cost more than all others.

    Parameters
    ----------
    size : side of the images in pixels, divisible by 32.
    weights : ``"imagenet"`` or ``"random"``, of the encoder (see :func:`lib.models.backbones.build`).
    encoder : ``"MobileNetV2"``, trained from its fourth block on, or ``"VGG16"``, from its second.
    dropout : rate before each expansion block.
    batch_norm, bn_momentum : whether the decoder has batch normalisation, and of its running statistics.

    Returns
    -------
    Model from images (n, size, size, 3) in [0, 1] to masks (n, size, size, 1) in [0, 1], with a layer
    ``bottleneck``: size/32 × size/32 × 320 with MobileNetV2, size/16 × size/16 × 512 with VGG16.
    """
    if size % 32:
        raise ValueError(f"the size must be divisible by 32, not {size}")
    taps, deepest, first_trained, widths, scaling = _ENCODERS[encoder]
    network, trained = backbones.build(encoder, size, weights), False
    for layer in network.layers:
        trained = trained or layer.name == first_trained
        layer.trainable = trained and not isinstance(layer, layers.BatchNormalization)
    maps = [network.get_layer(name).output for name in (*taps, deepest)]
    inputs = keras.Input((size, size, 3), name="image")
    *skips, x = keras.Model(network.input, maps, name="encoder")(layers.Rescaling(*scaling)(inputs))
    x = layers.Activation("linear", name="bottleneck")(x)

    def convolution(x, width, kernel):
        x = layers.Conv2D(width, kernel, padding="same", use_bias=not batch_norm, kernel_initializer="he_normal")(x)
        return layers.Activation("relu")(layers.BatchNormalization(momentum=bn_momentum)(x) if batch_norm else x)

    for width, skip in zip(reversed(widths), reversed(skips), strict=True):
        # The skips are wide; a 1×1 convolution keeps what the decoder needs.
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), convolution(skip, width // 2, 1)])
        x = convolution(layers.Dropout(dropout, seed=0)(x), width, 3)
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.Conv2D(1, 1)(x))
    return keras.Model(inputs, layers.Activation("sigmoid", name="mask")(x), name="pretrained_unet")
