import keras
import numpy as np
import pytest

from lib.models.unet import build_unet


def _layers(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def test_parameters_of_the_paper():
    model = build_unet()
    assert model.count_params() == 2_164_593
    assert model.output_shape == (None, 128, 128, 1)
    assert len(_layers(model, keras.layers.MaxPooling2D)) == 4
    assert len(_layers(model, keras.layers.Conv2DTranspose)) == 4


@pytest.mark.parametrize(("decoder_dropout", "n"), [(True, 9), (False, 5)])
def test_decoder_dropout_is_live_or_absent(decoder_dropout, n):
    model = build_unet((32, 32, 3), 2, dropout=0.3, decoder_dropout=decoder_dropout)
    dropouts = _layers(model, keras.layers.Dropout)
    assert [layer.rate for layer in dropouts] == [0.3] * n
    # Live: every dropout lies on the way to the output.
    assert all(layer._outbound_nodes for layer in dropouts)


def test_choices_of_the_tuning_loop():
    bilinear = build_unet((32, 32, 3), 2, upsampling="bilinear")
    assert not _layers(bilinear, keras.layers.Conv2DTranspose)
    assert len(_layers(bilinear, keras.layers.UpSampling2D)) == 4
    assert not _layers(build_unet((32, 32, 3), 2, batch_norm=False), keras.layers.BatchNormalization)
    for name, kind in (("l1", keras.regularizers.L1), ("l2", keras.regularizers.L2)):
        kernels = _layers(build_unet((32, 32, 3), 2, regularizer=name), keras.layers.Conv2D)
        assert sum(isinstance(layer.kernel_regularizer, kind) for layer in kernels) == 18


def test_masks_are_probabilities_and_use_every_pixel():
    keras.utils.set_random_seed(0)
    model = build_unet((32, 32, 3), 2)
    x = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype(np.float32)
    masks = model.predict(x, verbose=0)
    assert masks.shape == (2, 32, 32, 1)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert np.unique(masks[0]).size > 100


def test_sizes_that_four_poolings_do_not_divide():
    with pytest.raises(ValueError, match="divisible by 16"):
        build_unet((40, 32, 3))


@pytest.mark.parametrize("wrong", [{"upsampling": "nearest"}, {"regularizer": "L2"}])
def test_unknown_choices(wrong):
    with pytest.raises(ValueError, match="unknown"):
        build_unet((32, 32, 3), 2, **wrong)
