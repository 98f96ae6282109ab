import keras
import pytest
from keras import layers

from lib.models import cost


def test_counted_by_hand():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(inputs)  # 64 pixels · 27 · 4
    x = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)  # 16 · 9 · 4
    x = layers.SeparableConv2D(6, 3, padding="same")(x)  # 16 · (9 · 4 + 4 · 6)
    x = layers.Conv2DTranspose(2, 3, strides=2, padding="same")(x)  # 16 · 9 · 6 · 2
    x = layers.Dense(5)(layers.Flatten()(x))  # 8 · 8 · 2 · 5
    model = keras.Model(inputs, x)
    by_hand = 64 * 27 * 4 + 16 * 36 + 16 * (36 + 24) + 16 * 9 * 12 + 128 * 5
    assert cost.multiply_adds(model) == by_hand


def test_a_layer_used_twice_counts_twice_and_models_may_be_nested():
    shared = layers.Conv2D(3, 1)
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, shared(shared(inputs)))
    assert cost.multiply_adds(model) == 2 * 16 * 9
    outer = keras.Input((4, 4, 3))
    assert cost.multiply_adds(keras.Model(outer, model(outer))) == 2 * 16 * 9


@pytest.mark.parametrize(("name", "published"), [("MobileNetV2", 0.300e9)])
def test_published_counts(name, published):
    network = getattr(keras.applications, name)(weights=None)
    assert cost.multiply_adds(network) == pytest.approx(published, rel=0.01)
