import pytest

from lib.models.pretrained_unet import build_pretrained_unet


def test_shapes_and_what_is_frozen():
    model = build_pretrained_unet(64, "random")
    assert model.output_shape == (None, 64, 64, 1)
    assert model.get_layer("bottleneck").output.shape == (None, 2, 2, 320)
    encoder = model.get_layer("encoder")
    trained = {layer.name for layer in encoder.layers if layer.trainable and layer.weights}
    assert "block_3_expand" in trained
    assert not any("BN" in name or name.startswith(("Conv1", "block_1_", "block_2_")) for name in trained)
    with pytest.raises(ValueError, match="divisible by 32"):
        build_pretrained_unet(48, "random")


def test_an_encoder_of_vgg_without_batch_normalisation():
    model = build_pretrained_unet(32, "random", encoder="VGG16", batch_norm=False)
    assert model.output_shape == (None, 32, 32, 1)
    assert model.get_layer("bottleneck").output.shape == (None, 2, 2, 512)
    frozen = {layer.name for layer in model.get_layer("encoder").layers if layer.weights and not layer.trainable}
    assert frozen == {"block1_conv1", "block1_conv2"}
    assert not any("batch_normalization" in layer.name for layer in model.layers)
