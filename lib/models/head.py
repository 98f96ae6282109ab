"""Stage 2's classifier heads on the features of a frozen backbone (paper A, II-C)."""

import keras
from keras import layers, ops


def build_heads(n_kinds: int, n_seeds: int, n_features: int, n_classes: int, settings) -> keras.Model:
    """Heads side by side: each of fully connected ReLU layers, one dropout after them, softmax.

    Training them on stored features is the same mathematics as training one by one behind the frozen network,
    whose output for an image never changes: the loss is the heads' sum, and no weight is shared.

    Parameters
    ----------
    n_kinds, n_seeds : a head for each kind of features and seed.
    n_features : length of a feature vector; 4 × 4 × 1920 for a flattened DenseNet201 at 128 pixels.
    settings : :class:`lib.two_stage.classification.HeadSettings`.

    Returns
    -------
    Compiled model from (n, n_kinds, n_features) to probabilities (n, n_kinds, n_seeds, n_classes).
    """
    inputs = keras.Input((n_kinds, n_features), name="features")
    equation, x = "bif,isfu->bisu", inputs

    def dense(units: int, activation: str, **options):
        shape = (n_kinds, n_seeds, units)
        return layers.EinsumDense(equation, shape, activation=activation, bias_axes="isu", **options)

    for _ in range(settings.n_layers):
        x = dense(settings.units, "relu")(x)
        equation = "bisf,isfu->bisu"
    x = layers.Dropout(settings.dropout, seed=0)(x)
    model = keras.Model(inputs, dense(n_classes, "softmax", name="probability")(x), name="heads")
    model.compile(keras.optimizers.Adam(settings.learning_rate), _summed_cross_entropy)
    return model


@keras.saving.register_keras_serializable(package="lib")
def _summed_cross_entropy(truth, predicted):
    """Cross-entropy of targets (n, n_classes), maybe weighted, summed over heads."""
    logs = ops.log(ops.clip(predicted, 1e-7, 1))
    return -ops.sum(truth[:, None, None, :] * logs, axis=(1, 2, 3))
