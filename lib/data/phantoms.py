"""Synthetic breast ultrasound, the embedded default: no file, no network, seeded.

A phantom is imaged as a scanner does it, in outline: a field of random scatterers, whose density and
strength follow the tissue, is blurred by the point-spread function of a pulse (an oscillation along
depth under a Gaussian envelope); its amplitude is what makes speckle.  The echo fades with depth and
with what it passed through, is amplified back by a time-gain curve, and is compressed
logarithmically.  So lesions differ from their surroundings in echo, margin, shape and in the
shadow or enhancement behind them, as in the BI-RADS lexicon, and not in a fill colour.

Shapes of benign and malignant lesions overlap on purpose (benign ones can be lobulated, malignant
ones nearly smooth), so a mask alone does not settle the class.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage, signal

from lib.data.busi import CLASSES
from lib.data.record import DataError, ImageSet, Source

PROPORTIONS = np.array([133, 437, 210]) / 780  # of BUSI's classes
RELATIVES = ("brightness", "mirror", "shift", "crop", "mark")


@dataclass(frozen=True)
class Phantoms(Source):
    """Synthetic images, with ``relatives`` planted among them."""

    n: int = 160
    size: int = 64
    seed: int = 0
    relatives: int = 0

    def read(self) -> ImageSet:
        return with_relatives(make(self.n, self.size, self.seed), self.relatives)


def make(n: int = 160, size: int = 128, seed: int = 0) -> ImageSet:
    """``n`` phantoms of ``size`` × ``size`` pixels with BUSI's class proportions.

    Parameters
    ----------
    n : number of images, at least 15; from 33 on each part of an 80:10:10 split holds each class.
    size : side in pixels, at least 32.
    seed : same seed, same images.

    Returns
    -------
    ImageSet with images and hard masks (n, size, size, 1); images take 256 gray levels, as files do.

    Raises
    ------
    DataError
        For fewer images or pixels than that.
    """
    if n < 15 or size < 32:
        raise DataError(f"phantoms need at least 15 images of 32 pixels, not {n} of {size}")
    labels = np.repeat(np.arange(len(CLASSES)), class_counts(n))
    # One generator per image: image k stays the same when n changes nothing before it.
    pairs = [_phantom(label, size, np.random.default_rng([seed, k])) for k, label in enumerate(labels.tolist())]
    images, masks = (np.stack(arrays)[..., None] for arrays in zip(*pairs, strict=True))
    images, masks = (np.round(images * 255) / 255).astype(np.float32), masks.astype(np.float32)
    names = np.array([f"{CLASSES[label]} ({index + 1})" for index, label in enumerate(labels)])
    source = f"{n} phantoms (synthetic) at {size}×{size}"
    return ImageSet(images, labels, names, CLASSES, source, masks, sizes=np.full((n, 2), size), n_masks=np.ones(n, int))


def with_relatives(data: ImageSet, n: int) -> ImageSet:
    """``data`` with ``n`` related versions of its images appended, as BUSI has them unmarked.

    Each is made of an image of its own, in turn: gain and gamma changed, mirrored left to right, shifted
    by up to 6 % of each side (black comes in), a part of 80–95 % of each side stretched to the whole,
    or crossed by a measuring line between two burned-in marks.  Masks move along.

    Returns
    -------
    ImageSet of ``len(data) + n`` images: those of ``data`` first and unchanged, then relatives of the
    class of their original, named "benign (12) relative".  ``groups`` holds the truth: a relative
    has the group of its original, other images are alone.
    """
    data = replace(data, groups=np.arange(len(data)))
    copies = data.select(np.random.default_rng([0, len(data)]).choice(len(data), n, replace=False))
    for k in range(n):
        kind = RELATIVES[k % len(RELATIVES)]
        image, mask = copies.images[k, ..., 0], copies.masks[k, ..., 0]
        image[:] = np.round(_relative(image, kind, np.random.default_rng([0, k])) * 255) / 255
        if kind in ("mirror", "shift", "crop"):
            # The same generator state, so that the mask goes where its image went.
            mask[:] = _relative(mask, kind, np.random.default_rng([0, k])) >= 0.5
    copies = replace(copies, names=np.array([f"{name} relative" for name in copies.names], str))
    arrays = {name: value for name, value in vars(data).items() if isinstance(value, np.ndarray)}
    joined: dict[str, Any] = {name: np.concatenate([value, getattr(copies, name)]) for name, value in arrays.items()}
    return replace(data, source=f"{data.source} and {n} relatives", **joined)


def _relative(picture: np.ndarray, kind: str, draw: np.random.Generator) -> np.ndarray:
    """A related version of an image or mask (height, width); values stay in [0, 1]."""
    if kind == "brightness":
        return np.clip(draw.uniform(0.7, 1.25) * picture ** draw.uniform(0.75, 1.35), 0, 1)
    if kind == "mirror":
        return picture[:, ::-1]
    if kind == "shift":
        steps = np.round(draw.uniform(0.02, 0.06, 2) * draw.choice([-1, 1], 2) * picture.shape)
        return ndimage.shift(picture, steps, order=0)
    if kind == "crop":
        # At most a fifth goes from any border: a lesion's centre lies further inside.
        shares = draw.uniform(0.8, 0.95, 2)
        starts = draw.uniform(0, 1 - shares) * picture.shape
        # Pixel centres of the whole, as places in the picture.
        return ndimage.affine_transform(picture, shares, starts + shares / 2 - 0.5, order=1, mode="nearest")
    ends = draw.uniform([0.3, 0.15], [0.7, 0.45]), draw.uniform([0.3, 0.55], [0.7, 0.85])
    line = np.round(np.linspace(*ends, max(picture.shape[1] // 5, 2)) * picture.shape).astype(int)
    marked = picture.copy()
    marked[*line.T] = 0.8
    for row, column in line[[0, -1]]:
        marked[row - 2 : row + 3, column] = marked[row, column - 2 : column + 3] = 1
    return marked


def class_counts(n: int) -> np.ndarray:
    """How many of ``n`` images are normal, benign and malignant; rounded so that they add up."""
    exact = n * PROPORTIONS
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact)[: n - counts.sum()]] += 1
    return counts


def _phantom(label: int, size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    echo, attenuation = _tissue(size, generator)
    mask = np.zeros((size, size), bool)
    if label:
        mask, contrast, loss = _lesion(CLASSES[label] == "malignant", size, generator)
        echo, attenuation = echo * contrast, attenuation + loss
    decibels = 20 * np.log10(_speckle(echo, generator) + 1e-6)
    loss = np.cumsum(attenuation, axis=0)
    # The machine's time-gain curve undoes what average tissue takes away, up to an operator's error.
    decibels = decibels - loss + loss.mean(axis=1, keepdims=True) * generator.uniform(0.55, 1.0)
    top = np.percentile(decibels, 99.8) + generator.uniform(-2, 6)
    return np.clip(1 + (decibels - top) / 45, 0, 1), mask  # 45 decibels lie between black and white


def _tissue(size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Echo amplitude and attenuation of skin, fat, gland and muscle, with wavy borders between them."""
    depth, across = np.linspace(0, 1, size)[:, None], np.linspace(0, 1, size)

    def border(level: float, swing: float) -> np.ndarray:
        waves = np.zeros(size)
        for k in (1, 2, 3):
            waves += generator.normal(0, swing / k) * np.sin(2 * np.pi * (k * across * 0.7 + generator.uniform()))
        return level + waves

    fat = depth > border(generator.uniform(0.05, 0.09), 0.003)
    gland = depth > border(generator.uniform(0.2, 0.33), 0.03)
    muscle = depth > border(generator.uniform(0.78, 0.92), 0.02)
    fascia = np.exp(-(((depth - border(generator.uniform(0.78, 0.92), 0.01)) / 0.012) ** 2))
    echo = np.select([muscle, gland, fat], [0.35, 0.75, 0.28], 1.2) + 0.7 * fascia
    # Glandular tissue is patchy and streaked along the surface; some patches are as dark as lesions.
    patches = ndimage.gaussian_filter(generator.normal(size=(size, size)), (size / 28, size / 11), mode="reflect")
    echo = echo * np.exp(generator.uniform(0.35, 0.7) * (patches / patches.std()))
    return echo, np.where(gland, 22.0, 14.0) / size


def _lesion(malignant: bool, size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask, echo amplitude relative to the tissue around, decibels lost (if negative, gained) per pixel of depth."""
    row, column = np.mgrid[0:size, 0:size] / size
    centre = generator.uniform([0.35, 0.25], [0.62, 0.75])
    radius = np.clip(np.exp(generator.normal(np.log(0.17 if malignant else 0.14), 0.35)), 0.05, 0.3)
    # Benign lesions lie wider than tall; malignant ones can stand taller than wide.
    flat = generator.normal(0.95 if malignant else 0.72, 0.14)
    tilt = generator.normal(0, 0.25)
    down, side = row - centre[0], column - centre[1]
    along = side * np.cos(tilt) + down * np.sin(tilt)
    depth = (down * np.cos(tilt) - side * np.sin(tilt)) / np.clip(flat, 0.45, 1.35)
    distance = np.hypot(depth, along) / radius
    outline = _outline(np.arctan2(depth, along), malignant, generator)
    mask = ndimage.binary_fill_holes(distance < outline)
    sharpness = generator.uniform(0.05, 0.25) if malignant else generator.uniform(0.02, 0.1)
    inside = 1 / (1 + np.exp(np.clip((distance - outline) / sharpness, -30, 30)))
    darkness = generator.uniform(0.08, 0.3) if malignant else generator.uniform(0.04, 0.4)
    texture = ndimage.gaussian_filter(generator.normal(size=(size, size)), size / 40)
    texture = texture / texture.std() * (0.5 if malignant else 0.25)
    echo = 1 - inside + inside * darkness * np.exp(texture)
    if malignant:  # a bright rim of displaced tissue, in some
        rim = np.exp(-(((distance - outline - 0.12) / 0.12) ** 2))
        echo = echo * (1 + generator.uniform(0, 1.2) * rim)
    # Decibels over the depth of a whole lesion: shadow behind most malignant, enhancement behind
    # most benign ones, little of either behind some of both.
    through = generator.normal(11, 6) if malignant else generator.normal(-6, 4.5)
    return mask, echo, inside * through / (2 * radius * size)


def _outline(angle: np.ndarray, malignant: bool, generator: np.random.Generator) -> np.ndarray:
    """Radius of the margin at each angle, relative to the mean: lobes and, in most malignant ones, spicules."""
    lobes = generator.gamma(2.5, 0.045) if malignant else generator.gamma(1.6, 0.045)
    outline = np.ones_like(angle)
    for k in range(2, 6):
        outline += lobes / np.sqrt(k) * generator.normal() * np.cos(k * angle + generator.uniform(0, 2 * np.pi))
    n_spicules = generator.integers(0, 10) if malignant else generator.binomial(2, 0.15)
    for direction in generator.uniform(-np.pi, np.pi, n_spicules):
        away = np.abs((angle - direction + np.pi) % (2 * np.pi) - np.pi)
        width = generator.uniform(0.08, 0.22)
        outline += generator.gamma(2, 0.09) * np.exp(-away / width)
    return np.maximum(outline, 0.45)


def _speckle(echo: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Envelope of the field of scatterers seen through the point-spread function.

    Three looks are averaged, as a scanner compounds angles to calm the speckle.
    """
    size = echo.shape[0]
    axial, lateral = size / 128 * generator.uniform(0.8, 1.1), size / 128 * generator.uniform(1.3, 2.0)
    reach = int(np.ceil(4 * max(axial, lateral, 1)))
    steps = np.arange(-reach, reach + 1)
    pulse = np.exp(-((steps / max(axial, 0.6)) ** 2) / 2) * np.exp(1j * np.pi * 0.6 * steps)
    beam = np.exp(-((steps / max(lateral, 0.8)) ** 2) / 2)
    psf = pulse[:, None] * beam[None, :]
    scatterers = generator.normal(size=(3, *echo.shape)) * echo
    padded = np.pad(scatterers, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    looks = signal.fftconvolve(padded, psf[None], mode="valid", axes=(1, 2))
    return np.abs(looks).mean(axis=0) / np.sqrt((np.abs(psf) ** 2).sum())
