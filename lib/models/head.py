"""Stage 2's classifier head on the features of a frozen backbone (paper A, II-C)."""

import keras
from keras import layers


def build_head(
    n_features: int, n_classes: int = 3, *, n_layers: int = 3, units: int = 64, dropout: float = 0.05
) -> keras.Model:
    """Fully connected ReLU layers, one dropout after them, softmax.

    Training it on stored features is the same mathematics as training it behind the frozen network,
    whose output for an image never changes.

    Parameters
    ----------
    n_features : length of a feature vector; 4 × 4 × 1920 for a flattened DenseNet-201 at 128 pixels.
    n_layers, units, dropout : the defaults are those of III-B.

    Returns
    -------
    Model from (n, n_features) to probabilities (n, n_classes).
    """
    inputs = x = keras.Input((n_features,), name="features")
    for _ in range(n_layers):
        x = layers.Dense(units, activation="relu")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax", name="probability")(x), name="head")
