"""Paper A's images, as the profile chooses: BUSI or phantoms."""

from pathlib import Path
from typing import Any

from lib.core.config import Profile, check_choice
from lib.data import busi, phantoms
from lib.data.record import ImageSet

SOURCES = ("busi", "phantoms")
_PHANTOM_SEED = 0  # the phantoms are a data set: a notebook's seed draws splits and weights, not them


def load(profile: Profile, cache: Path | None = None, **changes: Any) -> ImageSet:
    """The profile's ultrasound images; ``changes`` replace arguments of :func:`lib.data.busi.load`.

    Phantoms have hard masks, one an image, so ``masks`` and ``resize`` change nothing there.
    """
    check_choice("data", profile.data, SOURCES)
    if profile.data == "phantoms":
        return phantoms.make(profile.n_phantoms, changes.get("size", profile.image_size), _PHANTOM_SEED)
    settings = {"size": profile.image_size, "masks": profile.masks, "resize": profile.resize, **changes}
    return busi.load(**settings, cache=cache)
