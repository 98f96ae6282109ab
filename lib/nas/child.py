"""One network of the notation, trained and scored as a job (paper B, III-B and IV-D2)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy import ndimage

from lib.core import jobs
from lib.data.record import ImageSet
from lib.models import training
from lib.nas.notation import parse

_MANY = 1_000  # test images from which on probabilities are kept in half precision
_SHIFT, _TURN, _SCALE = 2.0, 10.0, 0.1  # pixels, degrees, share: at most


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the defaults are the paper's."""

    epochs: int = 10  # at most
    batch_size: int = 64
    learning_rate: float = 1e-3
    l2: float = 0.02  # factor of the squared kernels, which are added to the loss
    patience: int = 2  # epochs without a lower validation cross-entropy; 0: all epochs are trained
    schedule: str = "constant"  # or cosine: falling to zero with the last step
    augmentation: str = "none"  # or digits: moved, turned and scaled a little


def _digits(generator: np.random.Generator, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move, turn and scale each image (n, height, width, 1) at random; zeros come in from outside."""
    centre = (np.array(images.shape[1:3]) - 1) / 2
    limits = np.array([_SHIFT, _SHIFT, np.deg2rad(_TURN), _SCALE])
    moved = np.empty_like(images)
    for index, (down, right, angle, scale) in enumerate(generator.uniform(-limits, limits, (len(images), 4))):
        turn = (1 + scale) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        offset = centre - turn @ (centre + np.array([down, right]))
        ndimage.affine_transform(images[index, ..., 0], turn, offset, output=moved[index, ..., 0], order=1)
    return moved, labels


AUGMENTATIONS = {"none": None, "digits": _digits}


def network(text: str, input_shape: tuple[int, ...], recipe: Recipe, seed: int, n_steps: int) -> keras.Model:
    """An untrained, compiled network; see :func:`lib.models.training.network`.

    ``n_steps`` is the number of batches of the whole training, over which a cosine schedule falls.
    """
    steps = n_steps if recipe.schedule == "cosine" else 0

    def build() -> keras.Model:
        model = parse(text).build(input_shape, recipe.l2)
        rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps) if steps else recipe.learning_rate
        # The loss has the penalty in it: what stops and chooses is the cross-entropy alone.
        entropy = keras.metrics.SparseCategoricalCrossentropy("cross_entropy")
        loss, accuracy = "sparse_categorical_crossentropy", keras.metrics.SparseCategoricalAccuracy("accuracy")
        # Many small networks are trained shortly: compiling each costs more than it saves.
        model.compile(keras.optimizers.Adam(rate), loss, metrics=[accuracy, entropy], jit_compile=False)
        return model

    return training.network(("nas", text, input_shape, recipe.l2, recipe.learning_rate, steps), build, seed)


@jobs.step("nas_child", version=1, working_only=("weights",))
def nas_child(
    data: ImageSet,
    train: np.ndarray,
    validation: np.ndarray,
    text: str,
    settings: Recipe,
    seed: int,
    test: np.ndarray | None = None,
    test_data: ImageSet | None = None,
    state: Path | None = None,
) -> dict[str, Any]:
    """A network trained on the images ``train``, its epoch chosen on ``validation``, as a job.

    Parameters
    ----------
    train, validation : indices of images of ``data``.
    text : of the canonical architecture.
    test : indices of images of ``test_data`` (None: of ``data``) that are scored when all is chosen.

    Returns
    -------
    ``accuracy`` and ``cross_entropy`` (nats) of the validation images in the kept epoch, ``epochs``,
    ``history`` by column and ``weights``; with ``test`` also its ``labels``, ``probabilities``
    (n, classes) and ``test_cross_entropy``, computed before the probabilities were rounded.
    """
    model = network(text, data.images.shape[1:], settings, seed, training.n_steps(settings, len(train)))
    beside = data.images[validation], data.labels[validation]
    how: dict[str, Any] = {"monitor": "val_cross_entropy", "patience": settings.patience, "state": state}
    how["augment"] = AUGMENTATIONS[settings.augmentation]
    history = training.fit(model, data.images, data.labels, beside, settings, seed, chosen=train, **how)
    # A ReLU makes 0 of NaN, so weights that are no numbers show in the penalty first.
    if not np.isfinite(history.val_loss).all():
        raise jobs.JobError("the loss is not a number any more")
    kept = history[history.kept].iloc[0]
    values = {"accuracy": float(kept.val_accuracy), "cross_entropy": float(kept.val_cross_entropy)}
    values |= {"epochs": len(history), "history": history.to_dict("list"), "weights": model.get_weights()}
    if test is None:
        return values
    tested = data if test_data is None else test_data
    probabilities, labels = model.predict(tested.images[test], batch_size=256, verbose=0), tested.labels[test]
    right = probabilities[np.arange(len(test)), labels].astype(np.float64)
    values |= {"labels": labels.astype(np.uint8), "test_cross_entropy": float(-np.log(np.maximum(right, 1e-7)).mean())}
    return values | {"probabilities": probabilities.astype(np.float16 if len(test) > _MANY else np.float32)}
