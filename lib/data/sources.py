"""All data sets by description, as jobs name them, and the one that a profile chooses."""

from typing import Any

from lib.core.config import Profile, check_choice
from lib.data.bus_uclm import BusUclm  # noqa: F401
from lib.data.busi import Busi, CuratedBusi  # noqa: F401
from lib.data.digits import Mnist, SmallDigits  # noqa: F401
from lib.data.mammograms import KauBcmd, MammogramPhantoms, MiniMias  # noqa: F401
from lib.data.phantoms import Phantoms
from lib.data.record import Source


def ultrasound(profile: Profile, **changes: Any) -> Source:
    """Paper A's images, as the profile chooses: BUSI or phantoms; ``changes`` replace fields of the description.

    Phantoms have hard masks, one per image, so ``masks`` and ``resize`` change nothing there.
    """
    if check_choice("data", profile.data, ("busi", "phantoms")) == "busi":
        return Busi(**{"size": profile.image_size, **changes})
    return Phantoms(profile.n_phantoms, changes.get("size", profile.image_size), relatives=changes.get("relatives", 0))
