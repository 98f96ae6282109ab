"""``python -m lib.predict IMAGE… | FOLDER``: class and lesion of ultrasound images by a trained model."""

import argparse
import gc
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from lib.core import config, paths, store
from lib.data import busi
from lib.data.files import read_gray
from lib.data.record import DataError

if TYPE_CHECKING:
    from lib.two_stage.model import TwoStageModel

_KINDS = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
_MASK = re.compile(r"_mask(_\d+)?$")  # as BUSI names them
_BATCH = 16  # images in memory
_BORDER = (240, 228, 66)  # yellow


def predict_files(model: "TwoStageModel", files: Sequence[Path], out: Path | None = None) -> pd.DataFrame:
    """One row per image file, of any size and colour; what cannot be read is named and left out.

    Parameters
    ----------
    out : folder for each image in its own size with the border of the lesion, and for the mask.

    Returns
    -------
    ``image``, ``class``, a probability per class, ``lesion`` (a share of the pixels) and ``distance``.
    """
    parts = [pd.DataFrame(columns=["image", "class", *model.classes, "lesion", "distance"])]
    for start in tqdm(range(0, len(files), _BATCH), unit="batch", disable=None if len(files) > _BATCH else True):
        images = {}
        for file in files[start : start + _BATCH]:
            try:
                images[file] = busi.read_image(file, model.size)
            except DataError as error:
                print(f"error: {error}", file=sys.stderr)
        if images:
            found = model.predict(np.stack(list(images.values())))
            part = pd.DataFrame(found.probabilities, columns=list(model.classes))
            part.insert(0, "image", [str(file) for file in images])
            part.insert(1, "class", np.array(model.classes)[found.labels])
            parts.append(part.assign(lesion=(found.masks >= 0.5).mean(axis=(1, 2, 3)), distance=found.distance))
            for file, mask in zip(images, found.masks, strict=True):
                if out:
                    _draw(file, mask[..., 0], out)
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _draw(file: Path, mask: np.ndarray, out: Path) -> None:
    with Image.open(file) as image:
        deep = image.mode.startswith("I")  # more than 8 bits, which Pillow would cut off
        shown = Image.fromarray(np.uint8(np.rint(255 * np.asarray(read_gray(file))))) if deep else image
        picture = np.asarray(shown.convert("RGB")).copy()
    fine = Image.fromarray(mask).resize(picture.shape[1::-1], Image.Resampling.BILINEAR)
    inside = np.asarray(fine) >= 0.5
    picture[inside & ~ndimage.binary_erosion(inside, iterations=1 + max(inside.shape) // 400)] = _BORDER
    for name, pixels in zip(_written(file), (picture, np.uint8(255 * inside)), strict=True):
        with store.atomic(out / name) as temporary:
            Image.fromarray(pixels).save(temporary)


def _written(file: Path) -> tuple[str, str]:
    """Names of the files that ``--out`` makes of an image."""
    return f"{file.stem}.png", f"{file.stem}_mask.png"


def _listed(given: Iterable[Path]) -> list[Path]:
    """Image files, each once, those of folders included, without masks beside them and hidden files."""
    files: list[Path] = []
    for path in given:
        there = sorted(path.glob("[!.]*")) if path.is_dir() else []
        images = [file for file in there if file.suffix.lower() in _KINDS and not _MASK.search(file.stem)]
        own = images if path.is_dir() else [path]
        if not own:
            raise DataError(f"{path}: no images ({', '.join(_KINDS)})")
        files += own
    return list(dict.fromkeys(files))


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _main(options, Path(folder))
    except (DataError, paths.MissingDataError, config.SettingsError, store.StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _main(options: argparse.Namespace, folder: Path) -> int:
    if options.demo and options.images:
        raise config.SettingsError("--demo predicts a phantom, and no other images")
    if options.demo:
        from lib.data import phantoms

        demo = folder / "phantom.png"
        Image.fromarray(np.uint8(255 * phantoms.make(15).images[-1, ..., 0])).save(demo)
        options.images = [demo]
    files = _listed(options.images)
    if not files:
        raise config.SettingsError("which image? Name files or a folder, or try --demo")
    if options.out:
        name, number = Counter(name for file in files for name in _written(file)).most_common(1)[0]
        if number > 1:
            raise config.SettingsError(f"two images would be written as {name}: --out would mix them up")
        if options.out.resolve() in {file.resolve().parent for file in files}:
            raise config.SettingsError(f"--out {options.out}: images are there, which it could overwrite")
    frame = predict_files(_load(options.model), files, options.out)
    for one in frame[frame["distance"] > 1].itertuples():
        print(f"warning: {one.image} is unlike all training images ({one.distance:.1f} times too far)", file=sys.stderr)
    frame = frame.round(4)
    print(frame.to_json(orient="records", indent=1) + "\n" if options.json else frame.to_csv(index=False), end="")
    if options.out:
        with store.atomic(options.out / "predictions.csv") as temporary:
            frame.to_csv(temporary, index=False)
    return 0 if len(frame) == len(files) else 2


def _load(path: Path | None) -> "TwoStageModel":
    """The model, in the shortest time; a mistyped command need not wait for it."""
    gc.disable()  # a quarter of the start would go into looking for garbage among modules and layers
    try:
        from lib.two_stage.model import PUBLISHED, TwoStageModel

        model = TwoStageModel.load(path or PUBLISHED)
        for network in (model.unet, model.backbone, model.head):
            network.run_eagerly = True  # to compile them takes half a second
        return model
    finally:
        gc.freeze()  # nor at the end
        gc.enable()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lib.predict",
        description="Name the class of breast ultrasound images and mark the lesion. For research, not for diagnosis.",
    )
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE|FOLDER")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write lesions' borders, masks and a CSV here")
    parser.add_argument("--json", action="store_true", help="print JSON instead of CSV")
    parser.add_argument("--demo", action="store_true", help="predict a phantom")
    parser.add_argument("--model", type=Path, metavar="FILE", help="a model saved elsewhere")
    return parser


if __name__ == "__main__":
    sys.exit(main())
