import keras
import numpy as np
import pytest
from keras import layers

from lib.data import phantoms
from lib.data.record import ImageSet
from lib.experiments import interpretability
from lib.models import backbones
from lib.plots.grouped import activation_maps
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import BackboneSettings
from lib.two_stage.model import TwoStageModel, TwoStageSettings
from lib.two_stage.segmentation import SegmenterSettings

CLASSES = ("normal", "benign", "malignant")
SIZE, CELLS = 32, 8
CORNER = np.s_[: SIZE // 4, : SIZE // 4]  # upper left: 2 × 2 of the 8 × 8 cells


def hand_made_unet(size=SIZE, from_skip=0.0, from_bottleneck=20.0, bias=-10.0):
    """Its mask is where the image, or its mean over 8 × 8 pixels, is above a half."""
    inputs = keras.Input((size, size, 3))
    deepest = layers.AveragePooling2D(8, name="bottleneck")(inputs)
    both = layers.Concatenate()([inputs, layers.UpSampling2D(8)(deepest)])
    mask = layers.Conv2D(1, 1, activation="sigmoid", name="mask")
    unet = keras.Model(inputs, mask(both))
    kernel = np.array([from_skip, 0, 0, from_bottleneck, 0, 0], np.float32).reshape(1, 1, 6, 1)
    mask.set_weights([kernel, np.array([bias], np.float32)])
    return unet


def two_stage(backbone, head, features, inputs="image", unet=None, name="MobileNetV2"):
    settings = TwoStageSettings(backbone=BackboneSettings(name, "random", features=features), inputs=inputs)
    return TwoStageModel(settings, CLASSES, unet or hand_made_unet(backbone.input_shape[1]), backbone, head)


def cells():
    """A backbone whose map is the mean of the input over each of 8 × 8 cells."""
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, layers.AveragePooling2D(SIZE // CELLS)(inputs))


def linear_head(kernel):
    """From (n, 1, n_features) to (n, 1, 1, 3), as stacked heads are."""
    inputs = keras.Input((1, len(kernel)))
    dense = layers.EinsumDense("bif,isfu->bisu", (1, 1, 3), activation="softmax")
    head = keras.Model(inputs, dense(inputs))
    dense.set_weights([np.asarray(kernel, np.float32)[None, None]])
    return head


def corner_head():
    """Of flattened cells: benign reads the upper left corner, malignant the lower right one, normal nothing."""
    kernel = np.zeros((CELLS, CELLS, 3, 3))
    kernel[:2, :2, 0, 1] = kernel[-2:, -2:, 0, 2] = 1
    return linear_head(kernel.reshape(-1, 3))


def random_images(n=3, size=SIZE, seed=0):
    return np.random.default_rng(seed).random((n, size, size, 1), np.float32)


# Stage 2


def test_a_score_that_depends_on_one_corner_is_hot_in_that_corner_only():
    images = np.full((1, SIZE, SIZE, 1), 0.7, np.float32)
    upper = interpretability.class_map(two_stage(cells(), corner_head(), "flatten"), images)[0]
    assert upper[:6, :6].min() > 0.9
    assert upper[SIZE // 2 :].max() == upper[:, SIZE // 2 :].max() == 0


@pytest.mark.parametrize("features", classification.FEATURES)
def test_a_backbone_that_sees_one_corner_is_hot_there_only(features):
    inputs = keras.Input((SIZE, SIZE, 3))
    rest = SIZE - SIZE // 4
    seen = layers.ZeroPadding2D(((0, rest), (0, rest)))(layers.Cropping2D(((0, rest), (0, rest)))(inputs))
    backbone = keras.Model(inputs, layers.AveragePooling2D(SIZE // CELLS)(seen))
    n_features = 3 if features == "pooled" else CELLS * CELLS * 3
    model = two_stage(backbone, linear_head(np.tile([0, 1, 0], (n_features, 1))), features)
    maps = interpretability.class_map(model, random_images())
    corner = maps[:, *CORNER].sum(axis=(1, 2))
    assert (corner > 0.7 * maps.sum(axis=(1, 2))).all()
    assert maps[:, SIZE // 2 :].max() == 0


def test_behind_pooled_features_and_one_layer_it_is_the_class_activation_map():
    # Zhou et al. 2016: only the class's own weights count; a softmax would mix in those of the others.
    kernel = np.array([[0.0, 1.0, 0.5], [3.0, -0.5, 0.2], [0.0, 0.3, 9.0]])
    inputs = keras.Input((SIZE, SIZE, 3))
    project = layers.Conv2D(3, 1)
    backbone = keras.Model(inputs, project(layers.AveragePooling2D(SIZE // CELLS)(inputs)))
    colours = np.array([[0.5, -0.3, 0.8], [0.4, 0.9, -0.6], [0.3, 0.2, 0.1]])
    project.set_weights([colours.reshape(1, 1, 3, 3), np.array([-0.2, 0.1, 0.0])])
    images = random_images()
    mixing = backbone.predict(np.repeat(images, 3, axis=-1), verbose=0)
    expected = np.maximum(mixing @ kernel[:, 2], 0)
    expected = keras.ops.convert_to_numpy(keras.ops.image.resize(expected[..., None], (SIZE, SIZE)))[..., 0]
    expected = expected / expected.max(axis=(1, 2), keepdims=True)
    model = two_stage(backbone, linear_head(kernel), "pooled")
    assert (model.predict(images).labels == 2).all()
    assert interpretability.class_map(model, images) == pytest.approx(expected, abs=1e-4)


def test_a_sure_head_has_a_map_too():
    model = two_stage(cells(), linear_head(1000 * np.array([[0, 1, 0], [0, 1, 0], [0, 0, 0]])), "pooled")
    images = random_images()
    assert model.predict(images).probabilities[:, 1].min() == 1
    maps = interpretability.class_map(model, images)
    assert maps.max(axis=(1, 2)) == pytest.approx(1)


def test_maps_of_a_real_network_do_not_depend_on_their_company():
    backbone = backbones.build("MobileNetV2", 64, "random", seed=1)
    kernel = np.random.default_rng(0).normal(size=(2 * 2 * 1280, 3)) / 100
    model = two_stage(backbone, linear_head(kernel), "flatten", "image+mask")
    images = phantoms.make(18, 64, seed=2).images
    maps = interpretability.class_map(model, images)
    assert maps.shape == (18, 64, 64)
    assert maps.dtype == np.float32
    assert 0 <= maps.min() < maps.max() == 1
    assert maps[17:] == pytest.approx(interpretability.class_map(model, images[17:]), abs=1e-3)


# Stage 1


def bright_quarter():
    images = np.full((2, SIZE, SIZE, 1), 0.2, np.float32)
    images[0, 16:, 16:] = 1
    return images


def test_the_mask_is_explained_where_the_lesion_is():
    model = two_stage(cells(), corner_head(), "flatten", unet=hand_made_unet())
    maps = interpretability.mask_map(model, bright_quarter())
    assert maps.shape == (2, SIZE, SIZE)
    assert maps[0, 20:, 20:] == pytest.approx(1, abs=1e-5)
    assert maps[0, :12, :12].max() == 0
    assert maps[1].max() == 0, "no lesion was predicted: there is nothing to explain"


def test_what_comes_through_the_skips_alone_leaves_the_map_empty():
    model = two_stage(cells(), corner_head(), "flatten", unet=hand_made_unet(from_skip=20.0, from_bottleneck=0.0))
    assert (model.predict(bright_quarter()).masks >= 0.5).any()
    assert interpretability.mask_map(model, bright_quarter()).max() == 0


@pytest.mark.parametrize("architecture", ["unet", "mobilenetv2"])
def test_every_stage_1_is_explained_and_stays_as_it_is(architecture):
    unet = segmentation.restore(64, SegmenterSettings(architecture, filters=2, weights="random"))
    last = unet.layers[-1] if architecture != "mobilenetv2" else unet.layers[-3]
    kernel, bias = last.get_weights()
    last.set_weights([kernel, bias + 0.01])  # so that an untrained network predicts lesions
    images = phantoms.make(15, 64, seed=2).images[[0, 5, 14]]
    before = segmentation.predict(unet, images)
    assert (before >= 0.5).any()
    backbone = keras.Sequential([keras.Input((64, 64, 3)), layers.AveragePooling2D(8)])
    model = two_stage(backbone, linear_head(np.random.default_rng(0).random((8 * 8 * 3, 3))), "flatten", unet=unet)
    maps = interpretability.mask_map(model, images)
    assert maps.shape == (3, 64, 64)
    assert 0 <= maps.min() < maps.max() == 1
    interpretability.class_map(model, images)
    assert (segmentation.predict(unet, images) == before).all()


# Counterfactuals


def test_emptied_channels_tell_a_model_that_reads_the_mask_from_one_that_reads_the_image():
    images = bright_quarter()
    reads_mask = linear_head([[0, 0, 0], [0, 9, 0], [0, 9, 0]])
    found = interpretability.emptied_channels(two_stage(cells(), reads_mask, "pooled", "image+mask"), images)
    assert found["label"][0] == found["label_without_image"][0] == 1
    assert found["label_without_mask"] == [0, 0]
    reads_image = linear_head([[0, 0, 9], [0, 0, 0], [0, 0, 0]])
    found = interpretability.emptied_channels(two_stage(cells(), reads_image, "pooled", "image+mask"), images)
    assert found["label_without_mask"] == found["label"] == [2, 2]
    assert found["label_without_image"] == [0, 0]


# Figure


def test_activation_maps_lie_over_their_images():
    images = random_images(4)
    data = ImageSet(images, np.array([0, 1, 2, 2]), np.arange(4).astype(str), CLASSES, "random", masks=images)
    maps = np.arange(2 * SIZE**2).reshape(2, SIZE, SIZE) % 256
    found = {"shown": np.array([1, 3]), "predicted": np.array([1, 0]), "stage_1": maps, "stage_2": maps[::-1]}
    figure = activation_maps(data, found)
    assert [cell.get_title() for cell in figure.axes[::3]] == [
        "benign,\npredicted benign",
        "malignant,\npredicted normal",
    ]
    for cell, stage in ((1, maps), (5, maps[::-1])):
        assert np.asarray(figure.axes[cell].images[1].get_array()) == pytest.approx(stage[cell // 5] / 255)
    figure.canvas.draw()
    assert activation_maps(data, None) is None
