"""Paper A's pipeline as one object: a U-Net predicts the mask, a frozen backbone and a head name the class."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from scipy.spatial import distance

from lib.core import paths, store
from lib.core.config import Profile
from lib.data.record import ImageSet
from lib.data.splits import Split
from lib.evaluation import calibration
from lib.models import backbones
from lib.models.head import build_heads
from lib.two_stage import classification, segmentation
from lib.two_stage.classification import BackboneSettings, HeadSettings
from lib.two_stage.segmentation import SegmenterSettings

PUBLISHED = paths.ROOT / "report" / "model" / "two_stage.npz"  # small, see :mod:`lib.experiments.small_model`
_KEY = "two-stage model"
_STAGES = {"segmenter": SegmenterSettings, "backbone": BackboneSettings, "head": HeadSettings}


@dataclass(frozen=True)
class TwoStageSettings:
    """Configuration of both stages."""

    segmenter: SegmenterSettings = field(default_factory=SegmenterSettings)
    backbone: BackboneSettings = field(default_factory=BackboneSettings)
    head: HeadSettings = field(default_factory=HeadSettings)
    inputs: str = "image+mask"

    @classmethod
    def of(cls, profile: Profile, segmenter: SegmenterSettings | None = None, **backbone: Any) -> "TwoStageSettings":
        """The profile's, with another ``segmenter`` if one is given, and other fields of the ``backbone``."""
        chosen = BackboneSettings(**{"name": profile.backbone, "weights": profile.weights, **backbone})
        return cls(segmenter or SegmenterSettings.of(profile), chosen, HeadSettings(epochs=profile.head_epochs))


@dataclass(frozen=True)
class Prediction:
    """What the two stages predict for n images.

    Attributes
    ----------
    masks : float32 (n, height, width, 1) in [0, 1].
    probabilities : float32 (n, n_classes), rows sum to one.
    classes : class names in the order of the columns.
    distance : float (n,), of the features to those of the nearest training image, as a multiple of what 99 % of
        validation images do not exceed: above 1 the image is unlike them.  NaN where the model does not know them.
    """

    masks: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]
    distance: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """int64 (n,): the most probable class."""
        return self.probabilities.argmax(axis=1)


@dataclass(frozen=True)
class TwoStageModel:
    """A fitted pipeline; make it with :meth:`fit`, :meth:`load` or :meth:`of_weights`."""

    settings: TwoStageSettings
    classes: tuple[str, ...]
    unet: keras.Model
    backbone: keras.Model
    head: keras.Model
    temperature: float = 1.0  # of the class probabilities
    reference: np.ndarray | None = None  # features of training images, float32 (n, n_features)
    reach: float = 1.0  # distance to the nearest of them that 99 % of validation images do not exceed

    @classmethod
    def fit(
        cls, data: ImageSet, split: Split, settings: TwoStageSettings | None = None, seed: int = 0
    ) -> "TwoStageModel":
        """Train stage 1 on the masks of ``split.train``, then stage 2 on the masks that stage 1 predicts.

        As in the paper, stage 2's training masks are predictions for images that stage 1 was trained
        on, and so better than those it will meet.  The test part is not read.
        """
        settings = settings or TwoStageSettings()
        size, n_classes = data.images.shape[1], len(data.classes)
        unet, _ = segmentation.fit(data, split.train, split.validation, settings.segmenter, seed)
        masks = segmentation.predict(unet, data.images, settings.segmenter.mirrored)
        backbone = backbones.build(settings.backbone.name, size, settings.backbone.weights, seed)
        x = _features(backbone, data.images, masks, settings)
        parts = split.train, split.validation
        head, _ = classification.fit_heads(x, data.labels, n_classes, *parts, settings.head, [seed])
        return cls.of_weights(size, data.classes, settings, unet.get_weights(), head.get_weights(), backbone=backbone)

    @classmethod
    def of_weights(
        cls,
        size: int,
        classes: tuple[str, ...],
        settings: TwoStageSettings,
        unet: list[np.ndarray],
        heads: list[np.ndarray],
        kind: int = 0,
        backbone: keras.Model | None = None,
    ) -> "TwoStageModel":
        """The pipeline with the weights of a :func:`segmenter` and of the first of :func:`heads` on a kind of features.

        Without a ``backbone`` it gets the settings' own.
        """
        head = [part[kind : kind + 1, :1] for part in heads]
        network = build_heads(1, 1, head[0].shape[-2], len(classes), settings.head)
        network.set_weights(head)
        backbone = backbone or classification.frozen_backbone(size, settings.backbone)
        return cls(settings, classes, segmentation.restore(size, settings.segmenter, unet), backbone, network)

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return self.unet.input_shape[1]

    def predict(self, images: np.ndarray, masks: np.ndarray | None = None) -> Prediction:
        """Masks and class probabilities of images (n, size, size, 1) in [0, 1]; given ``masks`` replace stage 1's.

        Raises
        ------
        ValueError
            For another shape, or values outside [0, 1] (an image that was not divided by 255, say).
        """
        images = np.asarray(images, np.float32)
        if images.shape[1:] != (self.size, self.size, 1):
            raise ValueError(f"images must have the shape (n, {self.size}, {self.size}, 1), not {images.shape}")
        if not ((images >= 0) & (images <= 1)).all():
            raise ValueError(f"pixels must lie in [0, 1], not in [{images.min():g}, {images.max():g}]")
        if len(images) == 0:
            return Prediction(images, np.empty((0, len(self.classes)), np.float32), self.classes, np.empty(0))
        masks = segmentation.predict(self.unet, images, self.settings.segmenter.mirrored) if masks is None else masks
        x = _features(self.backbone, images, masks, self.settings)
        probabilities = calibration.apply_temperature(self.head.predict(x, verbose=0)[:, 0, 0], self.temperature)
        return Prediction(masks, probabilities, self.classes, self._distance(x[:, 0]) / self.reach)

    def calibrated(self, data: ImageSet, train: np.ndarray, validation: np.ndarray) -> "TwoStageModel":
        """The model with the temperature that suits the images ``validation``, and with those of ``train`` to compare.

        Returns
        -------
        A model whose predictions have a ``distance``.
        """
        masks = segmentation.predict(self.unet, data.images, self.settings.segmenter.mirrored)
        x = _features(self.backbone, data.images, masks, self.settings)
        probabilities = self.head.predict(x[validation], verbose=0)[:, 0, 0]
        temperature = calibration.fit_temperature(data.labels[validation], probabilities)
        known = replace(self, temperature=temperature, reference=x[train, 0])
        return replace(known, reach=float(np.quantile(known._distance(x[validation, 0]), 0.99)))

    def _distance(self, x: np.ndarray) -> np.ndarray:
        if self.reference is None:
            return np.full(len(x), np.nan)
        return distance.cdist(x, self.reference).min(axis=1)

    def save(self, path: Path, dtype: str = "float32") -> Path:
        """Write settings and all weights into one file, so that it predicts on a machine without any weights.

        The file holds numbers only; ``dtype`` float16 halves it.
        """
        values = {"classes": list(self.classes), "size": self.size, "settings": asdict(self.settings)}
        values |= {"temperature": self.temperature, "reach": self.reach}
        for name in ("unet", "backbone", "head"):
            values[name] = [part.astype(dtype) for part in getattr(self, name).get_weights()]
        if self.reference is not None:
            values["reference"] = self.reference.astype(dtype)
        return store.write(path, values, {"key": _KEY}, compress=True)

    @classmethod
    def load(cls, path: Path) -> "TwoStageModel":
        """The model that :meth:`save` wrote; same predictions to 1e-5.

        Raises
        ------
        lib.core.paths.MissingDataError
            If there is no such file.
        lib.core.store.StoreError
            If it is damaged, altered or no two-stage model.
        """
        path = Path(path)
        if not path.is_file():
            raise paths.MissingDataError(f"{paths.relative(path)} is missing: it should hold a two-stage model")
        values = store.read(path, _KEY)
        try:
            stages = {name: kind(**values["settings"][name]) for name, kind in _STAGES.items()}
            settings = TwoStageSettings(**stages, inputs=values["settings"]["inputs"])
            size, classes = values["size"], tuple(values["classes"])
            backbone = backbones.build(settings.backbone.name, size, "random")
            backbone.set_weights(values["backbone"])
            model = cls.of_weights(size, classes, settings, values["unet"], values["head"], backbone=backbone)
            reference = values["reference"].astype(np.float32) if "reference" in values else None
            return replace(model, temperature=values["temperature"], reference=reference, reach=values["reach"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            why = f"{type(error).__name__}: {error}".splitlines()[0]
            raise store.StoreError(f"{paths.relative(path)} holds no two-stage model ({why})") from None


def _features(backbone: keras.Model, images: np.ndarray, masks: np.ndarray, settings: TwoStageSettings) -> np.ndarray:
    """Features, float32 (n, 1, n_features), of images with masks that are rounded as published ones are."""
    rounded = store.unpack_masks(store.pack_masks(masks))
    inputs = classification.stack_inputs(images, rounded, settings.inputs)
    return classification.extract(backbone, inputs, settings.backbone)[:, None]
