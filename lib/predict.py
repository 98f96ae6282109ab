"""``python -m lib.predict IMAGE...``: mask and class of ultrasound images by a saved two-stage model."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lib.core import config, paths, store
from lib.data import busi
from lib.data.record import DataError
from lib.two_stage.model import Prediction, TwoStageModel


def predict_files(model: TwoStageModel, files: Sequence[Path], resize: str = "bilinear") -> Prediction:
    """The model's prediction for image files of any size and colour, resized as in training.

    Raises
    ------
    DataError
        For a file that is missing, no image, or cut off.
    """
    return model.predict(np.stack([busi.read_image(Path(file), model.size, resize) for file in files]))


def as_frame(files: Sequence[Path], prediction: Prediction) -> pd.DataFrame:
    """One row per file: ``image``, ``class``, one probability per class, and the ``lesion`` share of the image."""
    frame = pd.DataFrame(prediction.probabilities, columns=list(prediction.classes))
    frame.insert(0, "image", [str(file) for file in files])
    frame.insert(1, "class", np.array(prediction.classes)[prediction.labels])
    frame["lesion"] = (prediction.masks >= 0.5).mean(axis=(1, 2, 3))
    return frame


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.masks and len({file.stem for file in options.images}) < len(options.images):
        parser.error("two images have one name, so one mask would overwrite the other: call it once per folder")
    file = options.model or paths.artifacts(options.profile) / "models" / "two_stage.npz"
    try:
        model = TwoStageModel.load(file)
        prediction = predict_files(model, options.images, options.resize)
    except (DataError, paths.MissingDataError, config.SettingsError, store.StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(as_frame(options.images, prediction).to_csv(index=False, float_format="%.4f"), end="")
    for file, mask in zip(options.images, prediction.masks, strict=True) if options.masks else ():
        with Image.open(file) as image:
            size = image.size
        picture = Image.fromarray(np.round(mask[..., 0] * 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
        with store.atomic(options.masks / f"{Path(file).stem}_mask.png") as temporary:
            picture.save(temporary)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lib.predict",
        description="Name the class of ultrasound images and mark the lesion. For research, not for diagnosis.",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--profile", default="lite", help="whose saved model is used (default lite)")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a model saved elsewhere")
    parser.add_argument(
        "--masks", type=Path, metavar="FOLDER", help="write the predicted masks here, in the images' sizes"
    )
    parser.add_argument("--resize", choices=busi.RESIZES, default="bilinear", help="as the model was trained")
    return parser


if __name__ == "__main__":
    sys.exit(main())
