"""Changes that leave an ultrasound picture a plausible one, at random in each epoch.

The probe may be held the other way round, the gain turned up or down, the lesion lie elsewhere in
the field of view.  Nothing is turned upside down: skin is on top and shadows fall downwards.
"""

import numpy as np
from scipy import ndimage

GAIN = 0.2  # brightness is multiplied by 1 - GAIN … 1 + GAIN
SHIFT = 0.08  # of the image's height and width, at most, in each direction
ANGLE, ZOOM = 15, 0.15  # degrees, and share of the size, at most
GAMMA, SPECKLE = 1.4, 0.1  # exponent at most, and standard deviation of the factor


def ultrasound(generator: np.random.Generator, images: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirror, shift and brighten each image at random, and move its mask along.

    Parameters
    ----------
    images, masks : (n, height, width, channels), values in [0, 1].  ``masks`` may have other
        dimensions, as labels (n, classes) do: it is then returned as it is.

    Returns
    -------
    New arrays of the same shapes; what a shift uncovers is black, and without lesion.
    """
    images, masks = images.copy(), masks.copy()
    reaches = [int(SHIFT * side) for side in images.shape[1:3]]
    for index in range(len(images)):
        steps = [*(generator.integers(-reach, reach + 1) for reach in reaches), 0]
        across = slice(None, None, -1 if generator.random() < 0.5 else 1)
        gain = generator.uniform(1 - GAIN, 1 + GAIN)
        images[index] = np.clip(ndimage.shift(images[index, :, across], steps, order=0) * gain, 0, 1)
        if masks.ndim == images.ndim:
            masks[index] = ndimage.shift(masks[index, :, across], steps, order=0)
    return images, masks


def strong(generator: np.random.Generator, images: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """:func:`ultrasound`, and each image at random rotated, scaled, of another gamma, and with speckle.

    Images and masks (n, height, width, channels) with values in [0, 1].
    """
    images, masks = ultrasound(generator, images, masks)
    centre = (np.array(images.shape[1:3]) - 1) / 2
    for index in range(len(images)):
        angle, zoom = np.deg2rad(generator.uniform(-ANGLE, ANGLE)), generator.uniform(1 - ZOOM, 1 + ZOOM)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
        for channel in (*np.moveaxis(images[index], -1, 0), *np.moveaxis(masks[index], -1, 0)):
            channel[:] = ndimage.affine_transform(channel, turn, centre - turn @ centre, order=1)
        speckle = 1 + SPECKLE * generator.standard_normal((*images.shape[1:3], 1))
        images[index] = np.clip(images[index] ** generator.uniform(1 / GAMMA, GAMMA) * speckle, 0, 1)
    return images, masks
