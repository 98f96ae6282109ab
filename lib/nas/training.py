"""Training of one child as printed (III-B, IV-D2), and the longer recipe for a final model.

What comes out depends on the architecture, the data, the settings and the seed only: not on which
models were trained before, in which process, or after how many interruptions.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from scipy import ndimage

from lib.nas.layers import Shape
from lib.nas.notation import Architecture


class TrainingError(RuntimeError):
    """A training that gives no usable model."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; the defaults are the paper's.

    ``l2`` adds the squared kernels to the loss, which is what the paper's words say; ``decay``
    shrinks the weights beside the gradient step instead (AdamW).  ``patience`` 0 trains all epochs.
    ``cosine`` lowers the learning rate to zero over the epochs.  ``augment`` moves the training
    images by up to so many pixels, and turns and scales them by up to 5 degrees and 5 % a pixel.
    """

    epochs: int = 10
    batch: int = 64
    learning_rate: float = 1e-3
    l2: float = 0.02
    decay: float = 0.0
    patience: int = 2
    cosine: bool = False
    augment: float = 0.0


@dataclass(frozen=True)
class Data:
    """What a child may see: training and validation images, never the test set.

    Attributes
    ----------
    train_images, validation_images : float32 (n, height, width, channels), values in [0, 1].
    train_labels, validation_labels : int64 (n,), from 0 to ``classes`` - 1.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    classes: int

    @property
    def input_shape(self) -> Shape:
        return tuple(self.train_images.shape[1:])


@dataclass(frozen=True)
class Outcome:
    """A trained model's validation scores: ``loss`` is the cross-entropy alone, without penalties."""

    accuracy: float
    loss: float
    epochs: int
    seconds: float
    history: dict[str, list[float]]


def train(
    architecture: Architecture,
    data: Data,
    recipe: Recipe,
    seed: int,
    start: list[np.ndarray] | None = None,
    backup: Path | None = None,
) -> tuple[keras.Model, Outcome]:
    """Train one architecture from scratch (or from ``start``) and score it on the validation images.

    Parameters
    ----------
    start : weights in Keras' order to begin with, for example inherited ones.
    backup : folder that lets a killed training go on from its last whole epoch.

    Raises
    ------
    TrainingError
        If the loss is no longer a number, or the model has not as many outputs as classes.
    """
    if architecture.classes != data.classes:
        raise TrainingError(f"{architecture} tells {architecture.classes} classes apart, the data have {data.classes}")
    began = time.perf_counter()
    keras.utils.set_random_seed(seed)
    model = architecture.build(data.input_shape, recipe.l2, seed)
    if start is not None:
        model.set_weights(start)
    batches = Batches(data.train_images, data.train_labels, recipe, seed)
    optimiser = _optimiser(recipe, len(batches))
    # Variables that come into being in the first step make TensorFlow trace it twice: most of a short training.
    optimiser.build(model.trainable_variables)
    model.compile(
        optimiser,
        "sparse_categorical_crossentropy",
        metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")],
        jit_compile=False,  # a search trains many small models shortly: compiling each would cost more than it saves
    )
    validated = len(data.validation_labels) > 0 and recipe.epochs > 1  # after one epoch there is nothing to choose
    history = model.fit(
        batches,
        shuffle=False,  # the batches are shuffled by seed and epoch; Keras would use Python's global generator
        validation_data=(data.validation_images, data.validation_labels) if validated else None,
        validation_batch_size=256,
        epochs=recipe.epochs,
        callbacks=_callbacks(recipe, batches, validated, backup),
        verbose=0,
    ).history
    if not np.isfinite(history["loss"]).all():
        raise TrainingError("the loss is not a number any more")
    accuracy, loss = evaluate(model, data.validation_images, data.validation_labels)
    history = {name: [float(value) for value in values] for name, values in history.items()}
    return model, Outcome(accuracy, loss, len(history["loss"]), time.perf_counter() - began, history)


def predict(model: keras.Model, images: np.ndarray, batch: int = 256) -> np.ndarray:
    """Class probabilities, float32 (n, classes)."""
    # Called directly: ``model.predict`` would trace a function anew for each of many small models.
    parts = [model(images[start : start + batch], training=False) for start in range(0, len(images), batch)]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])


def evaluate(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Accuracy and mean cross-entropy; not a number where there are no images.

    Raises
    ------
    TrainingError
        If the model's probabilities are not numbers.
    """
    if not len(labels):
        return float("nan"), float("nan")
    probabilities = predict(model, images)
    if not np.isfinite(probabilities).all():
        raise TrainingError("the model's probabilities are not numbers")
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(np.mean(probabilities.argmax(1) == labels)), float(-np.log(np.maximum(chosen, 1e-7)).mean())


class Batches(keras.utils.PyDataset):
    """Shuffled batches; order and augmentation depend on seed and epoch only, so a resumed fit repeats them."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, recipe: Recipe, seed: int) -> None:
        super().__init__()
        self.images, self.labels, self.recipe, self.seed = images, labels, recipe, seed
        self.epoch = 0
        self.on_epoch_begin()

    def __len__(self) -> int:
        return -(-len(self.labels) // self.recipe.batch)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[index * self.recipe.batch : (index + 1) * self.recipe.batch]
        images = self.images[chosen]
        if self.recipe.augment:
            images = augment(images, np.random.default_rng([self.seed, self.epoch, index]), self.recipe.augment)
        return images, self.labels[chosen]

    def on_epoch_begin(self) -> None:
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.labels))


class _TellEpoch(keras.callbacks.Callback):
    """Tells the batches which epoch begins: after a resume Keras does not start at 0."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.batches.epoch = epoch


def augment(images: np.ndarray, generator: np.random.Generator, strength: float) -> np.ndarray:
    """Images moved, turned and scaled at random, each by its own amount; zeros come in from outside.

    Parameters
    ----------
    images : float32 (n, height, width, channels).
    strength : largest shift in pixels; turns reach 5 degrees and scales 5 % for each pixel of it.
    """
    centre = (np.array(images.shape[1:3]) - 1) / 2
    limits = strength * np.array([1, 1, np.deg2rad(5), 0.05])
    result = np.empty_like(images)
    for index, (down, right, angle, scale) in enumerate(generator.uniform(-limits, limits, (len(images), 4))):
        turn = (1 + scale) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        offset = centre - turn @ (centre + np.array([down, right]))
        for channel in range(images.shape[3]):
            ndimage.affine_transform(
                images[index, :, :, channel], turn, offset, output=result[index, :, :, channel], order=1
            )
    return result


def _optimiser(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    rate = recipe.learning_rate
    if recipe.cosine:
        rate = keras.optimizers.schedules.CosineDecay(rate, steps * recipe.epochs)
    options = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
    if recipe.decay:
        return keras.optimizers.AdamW(rate, weight_decay=recipe.decay, **options)
    return keras.optimizers.Adam(rate, **options)


def _callbacks(recipe: Recipe, batches: Batches, validated: bool, backup: Path | None) -> list:
    callbacks: list = [_TellEpoch(batches), keras.callbacks.TerminateOnNaN()]
    if recipe.patience and validated:
        # The paper stops "when the loss function remains constant or increases" and does not say which
        # epoch's weights are kept: here those of the best validation loss.
        callbacks.append(keras.callbacks.EarlyStopping("val_loss", patience=recipe.patience, restore_best_weights=True))
    if backup:
        callbacks.append(keras.callbacks.BackupAndRestore(backup, delete_checkpoint=True))
    return callbacks
