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
