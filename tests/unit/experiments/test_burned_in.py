import numpy as np
import pytest

from lib.data import busi, phantoms
from lib.experiments import burned_in

SIZE = 32


def random_images(n=3, size=SIZE, seed=0):
    return np.random.default_rng(seed).random((n, size, size, 1), np.float32)


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
    marks = burned_in.find_marks(images)
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
    assert not burned_in.find_marks(images).any()


def test_marks_scale_with_the_image(written):
    large = written[0].repeat(2, axis=1).repeat(2, axis=2)
    marks = burned_in.find_marks(large)
    assert marks[:, ::2, ::2][written[1]].mean() > 0.9
    assert not marks[:8].any()


def test_marks_of_real_images(real_busi):
    def marks(*names):
        files = [real_busi / name.split()[0] / f"{name}.png" for name in names]
        return burned_in.find_marks(np.stack([busi.read_image(file) for file in files]))

    text = marks("benign (207)", "normal (31)", "benign (278)", "malignant (111)")
    assert text.any(axis=(1, 2)).all()
    assert text[0, 105:115, 5:40].sum() > 0.9 * text[0].sum(), "LT AXILLA, lower left"
    calipers = marks("malignant (124)")[0]
    assert calipers[15:25, 62:74].any()
    assert calipers[75:85, 60:74].any()
    assert not marks("normal (3)", "normal (13)", "benign (77)", "malignant (3)", "malignant (20)").any()


def test_no_images_have_no_marks():
    assert burned_in.find_marks(np.zeros((0, 32, 32, 1))).shape == (0, 32, 32)


def test_inpainting_restores_a_ramp_and_touches_nothing_else():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    images = np.tile((ramp[:, None] + ramp) / 2, (3, 1, 1))[..., None]
    marks = np.zeros((3, 64, 64), bool)
    marks[0, 30:33, 20:40] = True
    marks[1] = True
    marks[1, :30] = False  # deeper than the Gaussian reaches
    spoilt = images.copy()
    spoilt[marks] = 1
    filled = burned_in.without_marks(spoilt, marks)
    assert filled.dtype == np.float32
    assert (filled[~marks] == images[~marks]).all()
    assert filled[0] == pytest.approx(images[0], abs=0.02)
    assert filled[1, 30:].min() >= images[1, :30].min() - 1e-6
    assert filled[1, 30:].max() <= images[1, :30].max() + 1e-6
    assert (spoilt[marks] == 1).all(), "the argument was changed"


def test_an_image_that_is_marked_all_over_stays():
    images = random_images(1)
    assert (burned_in.without_marks(images, np.ones((1, SIZE, SIZE), bool)) == images).all()


def test_occlusion_shows_what_only_the_marks_do(written):
    images, drawn = written

    def reads_marks(x):  # predicts malignant if the text's first stroke is there
        malignant = 0.1 + 0.8 * (x[:, 110:115, 60, 0].min(axis=1) > 0.95)
        return np.stack([np.full(len(x), 0.02), 0.98 - malignant, malignant], axis=1)

    frame = burned_in.occlude(reads_marks, images)
    assert list(frame.index) == list(range(16))
    assert (frame.area[:8] == 0).all()
    assert frame.area[8] >= drawn[8].mean()
    unmarked = frame[:8]
    assert (unmarked.without_marks == unmarked.before).all()
    assert not frame.flipped[:8].any()
    marked = frame[8:]
    assert marked.before.to_numpy() == pytest.approx(0.9)
    assert marked.without_marks.to_numpy() == pytest.approx(0.1)
    assert marked.control.to_numpy() == pytest.approx(0.9), "a control lay on the marks"
    assert marked.flipped.all()
    assert (marked.control_flipped == 0).all()


def test_controls_remove_as_much_as_the_marks(written):
    areas = []

    def count(x):
        areas.append(int((x != written[0][8 : 8 + len(x)]).sum()) if len(x) == 8 else 0)
        return np.tile([0.2, 0.8, 0.0], (len(x), 1))

    burned_in.occlude(count, written[0])
    marks = burned_in.find_marks(written[0])
    assert areas == [0] + [marks.sum()] * (1 + burned_in.N_CONTROLS)
