"""Paper A's pipeline as one object: a U-Net draws the mask, a frozen backbone and a head name the class."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from lib.core import artifacts, paths
from lib.core.config import Profile
from lib.data.record import ImageSet
from lib.data.splits import Split
from lib.models import backbones
from lib.two_stage import classification, segmentation

_FORMAT = 1


@dataclass(frozen=True)
class Settings:
    """Configuration of both stages."""

    segmenter: segmentation.Settings = field(default_factory=segmentation.Settings)
    classifier: classification.Settings = field(default_factory=classification.Settings)

    @classmethod
    def of(cls, profile: Profile) -> "Settings":
        return cls(segmentation.Settings.of(profile), classification.Settings.of(profile))


@dataclass(frozen=True)
class Prediction:
    """What the two stages say of n images.

    Attributes
    ----------
    masks : float32 (n, height, width, 1) in [0, 1].
    probabilities : float32 (n, n_classes), rows sum to one.
    classes : class names in the order of the columns.
    """

    masks: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]

    @property
    def labels(self) -> np.ndarray:
        """int64 (n,): the most probable class."""
        return self.probabilities.argmax(axis=1)


@dataclass(frozen=True)
class TwoStageModel:
    """A fitted pipeline; make it with :meth:`fit` or :meth:`load`."""

    settings: Settings
    classes: tuple[str, ...]
    unet: keras.Model
    backbone: keras.Model
    head: keras.Model
    histories: dict[str, pd.DataFrame] = field(default_factory=dict)  # "unet" and "head"

    @classmethod
    def fit(
        cls,
        data: ImageSet,
        split: Split,
        settings: Settings | None = None,
        seed: int = 0,
        cache: Path | None = None,
        verbose: bool = False,
    ) -> "TwoStageModel":
        """Train stage 1 on the masks of ``split.train``, then stage 2 on the masks that stage 1 predicts.

        As in the paper, stage 2's training masks are predictions for images that stage 1 was trained
        on, and so better than those it will meet.

        Parameters
        ----------
        data : images, masks and labels; the test part is not read.
        cache : folder where finished trainings and features are kept; None keeps nothing.
        """
        settings = settings or Settings()
        unet, unet_history = segmentation.train(data, split, settings.segmenter, seed, cache, verbose)
        stage_2 = settings.classifier
        masks = segmentation.predict(unet, data.images)
        x = classification.features(data.images, masks, stage_2, cache, seed)
        head, head_history = classification.train_head(x, data.labels, len(data.classes), split, stage_2, seed)
        backbone = backbones.build(stage_2.backbone, data.images.shape[1], stage_2.weights, seed)
        return cls(settings, data.classes, unet, backbone, head, {"unet": unet_history, "head": head_history})

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return self.unet.input_shape[1]

    def predict(self, images: np.ndarray) -> Prediction:
        """Masks and class probabilities of images (n, size, size, 1) in [0, 1].

        Raises
        ------
        ValueError
            For another shape, or values outside [0, 1] (an image that was not divided by 255, say).
        """
        images = np.asarray(images, np.float32)
        expected = (self.size, self.size, 1)
        if images.ndim != 4 or images.shape[1:] != expected:
            raise ValueError(f"images must have the shape (n, {self.size}, {self.size}, 1), not {images.shape}")
        if len(images) == 0:
            return Prediction(images, np.empty((0, len(self.classes)), np.float32), self.classes)
        if not (images.min() >= 0 and images.max() <= 1):
            raise ValueError(f"pixels must lie in [0, 1], not in [{images.min():g}, {images.max():g}]")
        masks = segmentation.predict(self.unet, images)
        stage_2 = self.settings.classifier
        inputs = classification.stack_inputs(images, masks, stage_2.inputs)
        x = classification.extract(self.backbone, inputs, stage_2)
        return Prediction(masks, self.head.predict(x, verbose=0), self.classes)

    def save(self, folder: Path) -> Path:
        """Write the whole model, backbone included, so that it predicts on a machine without any weights."""
        folder = Path(folder)
        for name in ("unet", "backbone", "head"):
            with artifacts.atomic(folder / f"{name}.keras") as temporary:
                getattr(self, name).save(temporary)
        # Written last: a folder without it is no model.
        content = {"format": _FORMAT, "classes": self.classes, "settings": asdict(self.settings)}
        artifacts.write_json(folder / "two_stage.json", content)
        return folder

    @classmethod
    def load(cls, folder: Path) -> "TwoStageModel":
        """The model that :meth:`save` wrote; same predictions to 1e-5.

        Raises
        ------
        lib.core.paths.MissingDataError
            If the folder holds no whole model.
        """
        folder = Path(folder)
        needed = ["two_stage.json", "unet.keras", "backbone.keras", "head.keras"]
        if missing := [name for name in needed if not (folder / name).is_file()]:
            raise paths.MissingDataError(f"{folder} holds no two-stage model: {', '.join(missing)} missing")
        content = artifacts.read_json(folder / "two_stage.json")
        if content.get("format") != _FORMAT:
            raise ValueError(f"{folder}: written in format {content.get('format')}, this code reads {_FORMAT}")
        models = {
            name: keras.saving.load_model(folder / f"{name}.keras", compile=False)
            for name in ("unet", "backbone", "head")
        }
        settings = Settings(
            segmentation.Settings(**content["settings"]["segmenter"]),
            classification.Settings(**content["settings"]["classifier"]),
        )
        return cls(settings, tuple(content["classes"]), **models)
