import keras
import numpy as np
import pytest
from keras import layers

from lib.data import busi, phantoms
from lib.data.record import DataError
from lib.experiments import burned_in as marks_of
from lib.experiments import interpretability as explain
from lib.models import backbones
from lib.models.head import build_head
from lib.plots.explain import cam_grid
from lib.two_stage import classification, segmentation
from lib.two_stage.model import Settings, TwoStageModel

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
    stage_2 = classification.Settings(name, "random", features=features, inputs=inputs)
    return TwoStageModel(
        Settings(classifier=stage_2), CLASSES, unet or hand_made_unet(backbone.input_shape[1]), backbone, head
    )


def cells():
    """A backbone whose map is the mean of the input over each of 8 × 8 cells."""
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, layers.AveragePooling2D(SIZE // CELLS)(inputs))


def linear_head(kernel):
    inputs = keras.Input((len(kernel),))
    dense = layers.Dense(3, activation="softmax")
    head = keras.Model(inputs, dense(inputs))
    dense.set_weights([np.asarray(kernel, np.float32), np.zeros(3, np.float32)])
    return head


def corner_head():
    """Of flattened cells: benign reads the upper left corner, malignant the lower right one, normal nothing."""
    kernel = np.zeros((CELLS, CELLS, 3, 3))
    kernel[:2, :2, 0, 1] = kernel[-2:, -2:, 0, 2] = 1
    return linear_head(kernel.reshape(-1, 3))


def random_images(n=3, size=SIZE, seed=0):
    return np.random.default_rng(seed).random((n, size, size, 1), np.float32)


@pytest.fixture(scope="module")
def tiny():
    """Random weights throughout, 64 pixels; 18 images in two batches."""
    backbone = backbones.build("MobileNetV2", 64, "random", seed=1)
    model = two_stage(backbone, build_head(2 * 2 * 1280), "flatten", "image+mask")
    return model, phantoms.make(18, 64, seed=2).images


# ---- stage 2


def test_a_score_that_depends_on_one_corner_is_hot_in_that_corner_only():
    model = two_stage(cells(), corner_head(), "flatten")
    images = np.full((2, SIZE, SIZE, 1), 0.7, np.float32)
    upper, lower = explain.grad_cam_class(model, images, np.array([1, 2]), method="hirescam")
    assert upper[:6, :6].min() > 0.9
    assert upper[SIZE // 2 :].max() == upper[:, SIZE // 2 :].max() == 0
    assert lower == pytest.approx(upper[::-1, ::-1], abs=1e-5)
    # Why there are two methods: an averaged gradient cannot tell the places apart.
    averaged = explain.grad_cam_class(model, images, 1)
    assert averaged == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("method", explain.METHODS)
@pytest.mark.parametrize("features", classification.FEATURES)
def test_a_backbone_that_sees_one_corner_is_hot_there_only(method, features):
    inputs = keras.Input((SIZE, SIZE, 3))
    rest = SIZE - SIZE // 4
    seen = layers.ZeroPadding2D(((0, rest), (0, rest)))(layers.Cropping2D(((0, rest), (0, rest)))(inputs))
    backbone = keras.Model(inputs, layers.AveragePooling2D(SIZE // CELLS)(seen))
    n_features = 3 if features == "pooled" else CELLS * CELLS * 3
    model = two_stage(backbone, linear_head(np.tile([0, 1, 0], (n_features, 1))), features)
    maps = explain.grad_cam_class(model, random_images(), method=method)
    corner = maps[:, *CORNER].sum(axis=(1, 2))
    assert (corner > 0.7 * maps.sum(axis=(1, 2))).all()
    assert maps[:, SIZE // 2 :].max() == 0


def test_behind_pooled_features_and_one_layer_it_is_the_class_activation_map():
    # Zhou et al. 2016: only the class's own weights count; a softmax would mix in those of the others.
    kernel = np.array([[0.0, 1.0, 0.5], [3.0, -0.5, 0.2], [0.0, 0.3, 2.0]])
    inputs = keras.Input((SIZE, SIZE, 3))
    project = layers.Conv2D(3, 1)
    backbone = keras.Model(inputs, project(layers.AveragePooling2D(SIZE // CELLS)(inputs)))
    colours = np.array([[0.5, -0.3, 0.8], [0.4, 0.9, -0.6], [0.3, 0.2, 0.1]])
    project.set_weights([colours.reshape(1, 1, 3, 3), np.array([-0.2, 0.1, 0.0])])
    images = random_images()
    mixing = backbone.predict(np.repeat(images, 3, axis=-1), verbose=0)
    expected = np.maximum(mixing @ kernel[:, 1], 0)
    expected = keras.ops.convert_to_numpy(keras.ops.image.resize(expected[..., None], (SIZE, SIZE)))[..., 0]
    expected = expected / expected.max(axis=(1, 2), keepdims=True)
    model = two_stage(backbone, linear_head(kernel), "pooled")
    for method in explain.METHODS:
        assert explain.grad_cam_class(model, images, 1, method) == pytest.approx(expected, abs=1e-4)


def test_the_default_is_the_predicted_class_and_a_sure_head_has_a_map_too():
    model = two_stage(cells(), linear_head(1000 * np.array([[0, 1, 0], [0, 1, 0], [0, 0, 0]])), "pooled")
    images = random_images()
    assert model.predict(images).probabilities[:, 1].min() == 1
    maps = explain.grad_cam_class(model, images)
    assert maps.max(axis=(1, 2)) == pytest.approx(1)
    assert maps == pytest.approx(explain.grad_cam_class(model, images, 1))
    assert explain.grad_cam_class(model, images, 0).max() == 0


def test_maps_of_a_real_network(tiny):
    model, images = tiny
    for method in explain.METHODS:
        maps = explain.grad_cam_class(model, images, 2, method)
        assert maps.shape == (18, 64, 64)
        assert maps.dtype == np.float32
        assert maps.min() >= 0
        assert maps.max() == 1
        assert np.isfinite(maps).all()
    alone = explain.grad_cam_class(model, images[17:], 2, "hirescam")
    assert maps[17:] == pytest.approx(alone, abs=1e-3), "an image's map depends on its company"
    assert explain.grad_cam_class(model, images[:0]).shape == (0, 64, 64)


@pytest.mark.parametrize("class_index", [3, -1, np.array([0, 5])])
def test_unknown_classes_are_refused(class_index):
    model = two_stage(cells(), corner_head(), "flatten")
    with pytest.raises(ValueError, match="class_index must lie in 0 … 2"):
        explain.grad_cam_class(model, random_images(2), class_index)


def test_unknown_methods_are_refused(tiny):
    with pytest.raises(ValueError, match="saliency"):
        explain.grad_cam_class(*tiny, method="saliency")
    with pytest.raises(ValueError, match="saliency"):
        explain.grad_cam_mask(*tiny, method="saliency")


# ---- stage 1


def bright_quarter():
    images = np.full((2, SIZE, SIZE, 1), 0.2, np.float32)
    images[0, 16:, 16:] = 1
    return images


def test_the_mask_is_explained_where_the_lesion_is():
    model = two_stage(cells(), corner_head(), "flatten", unet=hand_made_unet())
    maps = explain.grad_cam_mask(model, bright_quarter())
    assert maps.shape == (2, SIZE, SIZE)
    assert maps[0, 20:, 20:] == pytest.approx(1, abs=1e-5)
    assert maps[0, :12, :12] == pytest.approx(0.2, abs=1e-5), "a channel's weight is one for all places"
    assert maps[1].max() == 0, "no lesion was predicted: there is nothing to explain"
    local = explain.grad_cam_mask(model, bright_quarter(), "hirescam")
    assert local[0, 20:, 20:] == pytest.approx(1, abs=1e-5)
    assert local[0, :12, :12].max() == 0


def test_what_comes_through_the_skips_alone_leaves_the_map_empty():
    model = two_stage(cells(), corner_head(), "flatten", unet=hand_made_unet(from_skip=20.0, from_bottleneck=0.0))
    assert (model.predict(bright_quarter()).masks >= 0.5).any()
    assert explain.grad_cam_mask(model, bright_quarter()).max() == 0


@pytest.mark.parametrize("architecture", ["attention", "mobilenetv2"])
def test_every_stage_1_is_explained_and_can_still_be_saved(architecture, tmp_path):
    unet = segmentation.build(64, segmentation.Settings(architecture, filters=2, weights="random"), seed=0)
    last = unet.layers[-1] if architecture != "mobilenetv2" else unet.layers[-3]
    kernel, bias = last.get_weights()
    last.set_weights([kernel, bias + 0.01])  # so that an untrained network draws lesions
    images = phantoms.make(15, 64, seed=2).images[[0, 5, 14]]
    before = segmentation.predict(unet, images)
    assert (before >= 0.5).any()
    backbone = keras.Sequential([keras.Input((64, 64, 3)), layers.AveragePooling2D(8)])
    model = two_stage(backbone, linear_head(np.ones((8 * 8 * 3, 3))), "flatten", unet=unet)
    maps = explain.grad_cam_mask(model, images)
    assert maps.shape == (3, 64, 64)
    assert 0 <= maps.min() < maps.max() == 1
    explain.grad_cam_class(model, images)
    assert (segmentation.predict(unet, images) == before).all()
    model.save(tmp_path / "model")


# ---- counterfactuals


def test_sensitivity_tells_a_model_that_reads_the_mask_from_one_that_reads_the_image():
    images = bright_quarter()
    reads_mask = linear_head([[0, 0, 0], [0, 9, 0], [0, 9, 0]])
    frame = explain.sensitivity_through_mask(
        two_stage(cells(), reads_mask, "pooled", "image+mask", hand_made_unet()), images
    )
    assert len(frame) == 2
    assert frame.label[0] == 1
    assert frame.without_image.to_numpy() == pytest.approx(frame.probability.to_numpy())
    assert frame.without_mask[0] == pytest.approx(1 / 3)
    assert frame.probability[0] > 0.9
    assert frame.label_without_image.tolist() == frame.label.tolist()

    reads_image = linear_head([[0, 0, 9], [0, 0, 0], [0, 0, 0]])
    model = two_stage(cells(), reads_image, "pooled", "image+mask", hand_made_unet())
    frame = explain.sensitivity_through_mask(model, images)
    assert frame.without_mask.to_numpy() == pytest.approx(frame.probability.to_numpy())
    assert frame.without_image.to_numpy() == pytest.approx(1 / 3)
    assert frame.label_without_mask.tolist() == [2, 2]
    assert frame.label_without_image.tolist() == [0, 0]


# ---- burnt-in marks


@pytest.fixture(scope="module")
def written():
    """Phantoms, the second half of them with the letters "LT" and a caliper; and where these are."""
    images = phantoms.make(16, 128, seed=3).images / 2  # as dark as the real ones
    drawn = np.zeros(images.shape[:3], bool)
    text = drawn[8:]
    text[:, 110:115, 60] = text[:, 114, 60:63] = text[:, 110, 64:67] = text[:, 110:115, 65] = True
    text[:, 50, 88:93] = text[:, 48:53, 90] = True
    images[drawn] = 1
    return images, drawn


def test_marks_are_found_where_they_were_drawn(written):
    images, drawn = written
    marks = marks_of.find_marks(images)
    assert marks.dtype == bool
    assert marks.shape == drawn.shape
    assert not marks[:8].any(), "speckle is no mark"
    assert marks[8:].any(axis=(1, 2)).all()
    assert marks[drawn].mean() > 0.9
    assert marks[8:].mean() < 0.01


def test_bright_layers_are_no_marks():
    images = np.full((1, 128, 128, 1), 0.2, np.float32)
    images[0, 60:62] = images[0, 90, 20:90] = 1
    images[0, 30:50, 40:70] = 1
    assert not marks_of.find_marks(images).any()


def test_marks_scale_with_the_image(written):
    large = written[0].repeat(2, axis=1).repeat(2, axis=2)
    marks = marks_of.find_marks(large)
    assert marks[:, ::2, ::2][written[1]].mean() > 0.9
    assert not marks[:8].any()


def test_marks_of_real_images(real_busi):
    def marks(*names):
        files = [real_busi / name.split()[0] / f"{name}.png" for name in names]
        return marks_of.find_marks(np.stack([busi.read_image(file) for file in files]))

    text = marks("benign (207)", "normal (31)", "benign (278)", "malignant (111)")
    assert text.any(axis=(1, 2)).all()
    assert text[0, 105:115, 5:40].sum() > 0.9 * text[0].sum(), "LT AXILLA, lower left"
    calipers = marks("malignant (124)")[0]
    assert calipers[15:25, 62:74].any()
    assert calipers[75:85, 60:74].any()
    assert not marks("normal (3)", "normal (13)", "benign (77)", "malignant (3)", "malignant (20)").any()


def test_images_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"shape \(n, height, width, 1\)"):
        marks_of.find_marks(np.zeros((2, 32, 32)))


def test_no_images_have_no_marks():
    assert marks_of.find_marks(np.zeros((0, 32, 32, 1))).shape == (0, 32, 32)


def test_inpainting_restores_a_ramp_and_touches_nothing_else():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    images = np.tile((ramp[:, None] + ramp) / 2, (3, 1, 1))[..., None]
    marks = np.zeros((3, 64, 64), bool)
    marks[0, 30:33, 20:40] = True
    marks[1] = True
    marks[1, :30] = False  # deeper than the Gaussian reaches
    spoilt = images.copy()
    spoilt[marks] = 1
    filled = marks_of.without_marks(spoilt, marks)
    assert filled.dtype == np.float32
    assert (filled[~marks] == images[~marks]).all()
    assert filled[0] == pytest.approx(images[0], abs=0.02)
    assert filled[1, 30:].min() >= images[1, :30].min() - 1e-6
    assert filled[1, 30:].max() <= images[1, :30].max() + 1e-6
    assert (spoilt[marks] == 1).all(), "the argument was changed"


def test_an_image_that_is_marked_all_over_stays():
    images = random_images(1)
    assert (marks_of.without_marks(images, np.ones((1, SIZE, SIZE), bool)) == images).all()


def test_marks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        marks_of.without_marks(random_images(2), np.zeros((1, SIZE, SIZE), bool))


def test_occlusion_shows_what_only_the_marks_do(written):
    images, drawn = written

    def reads_marks(x):  # says malignant if the text's first stroke is there
        malignant = 0.1 + 0.8 * (x[:, 110:115, 60, 0].min(axis=1) > 0.95)
        return np.stack([np.full(len(x), 0.02), 0.98 - malignant, malignant], axis=1)

    frame = marks_of.occlude(reads_marks, images, drawn)
    assert list(frame.index) == list(range(16))
    assert frame.label.tolist() == [1] * 8 + [2] * 8
    assert (frame.area[:8] == 0).all()
    assert frame.area[8] == pytest.approx(drawn[8].mean())
    unmarked = frame[:8]
    assert (unmarked.without_marks == unmarked.before).all()
    assert not frame.flipped[:8].any()
    marked = frame[8:]
    assert marked.before.to_numpy() == pytest.approx(0.9)
    assert marked.without_marks.to_numpy() == pytest.approx(0.1)
    assert marked.control.to_numpy() == pytest.approx(0.9), "a control lay on the marks"
    assert marked.flipped.all()
    assert (marked.control_flipped == 0).all()


def test_controls_remove_as_much_as_the_marks():
    images = random_images(2)
    marks = np.zeros((2, SIZE, SIZE), bool)
    marks[0, :5, :7] = True
    areas = []

    def count(x):
        areas.append(int((x != images[: len(x)]).sum()))
        return np.tile([0.2, 0.8, 0.0], (len(x), 1))

    marks_of.occlude(count, images, marks, n_controls=4)
    assert areas == [0, 35, 35, 35, 35, 35]


def test_controls_repeat_with_the_seed_and_there_is_at_least_one():
    images, marks = random_images(2), np.zeros((2, SIZE, SIZE), bool)
    marks[:, 10:14, 10:14] = True

    def predict(x):
        share = x[:, :16].mean(axis=(1, 2, 3)) / 2
        return np.stack([share, 1 - share], axis=1)

    first, same, other = (marks_of.occlude(predict, images, marks, seed=seed).control for seed in (0, 0, 1))
    assert (first == same).all()
    assert (first != other).any()
    with pytest.raises(ValueError, match="n_controls"):
        marks_of.occlude(predict, images, marks, n_controls=0)


# ---- figures


def test_cam_grid():
    images, maps = random_images(8), random_images(8, seed=1)[..., 0]
    masks = np.zeros_like(images)
    masks[:7, 5:20, 5:20] = 1
    figure = cam_grid(images, maps, [f"case {k}" for k in range(8)], masks)
    shown = [cell for cell in figure.axes if cell.images]
    assert len(figure.axes) == 12
    assert [cell.get_title() for cell in shown] == [f"case {k}" for k in range(8)]
    assert [len(cell.collections) for cell in shown] == [1] * 7 + [0]
    assert (shown[3].images[1].get_array() == maps[3]).all()
    figure.canvas.draw()


def test_cam_grid_refuses_what_does_not_fit():
    images = random_images(2)
    with pytest.raises(ValueError, match="no images"):
        cam_grid(images[:0], images[:0, ..., 0], [])
    with pytest.raises(ValueError, match=r"shorter|longer"):
        cam_grid(images, images[:1, ..., 0], ["a", "b"])
