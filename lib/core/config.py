"""``smoke``, ``lite`` and ``full``: the same code with other numbers, in ``profiles.toml``.

Flat frozen settings; an unknown profile or a misspelt key raises and names the nearest known one.
"""

import os
import re
import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lib.core import paths, runtime, store


class SettingsError(ValueError):
    """An unknown profile, an unknown setting or a value outside its choices."""


@dataclass(frozen=True)
class Profile:
    """Settings of a run.  The defaults are those of ``report/protocol.md`` (profile ``lite``)."""

    name: str = "lite"
    # Shown once under a notebook's title.
    note: str = "real images; the plan of report/protocol.md, with VGG16, Xception and MobileNetV2"
    trains: bool = False  # costly jobs that are not published; False: they are looked up only
    workers: int = 0  # jobs at a time: 0 in this process, else so many processes of one thread

    # Data of paper A
    data: str = "busi"  # busi or phantoms
    n_phantoms: int = 0
    image_size: int = 128  # pixels, II-A

    # Stage 1, II-B and III-B
    unet_filters: int = 16
    unet_epochs: int = 50
    unet_batch: int = 32
    unet_bn_momentum: float = 0.99
    encoder_epochs: int = 24  # of the U-Net with an ImageNet encoder
    encoder_batch: int = 8

    # Stage 2, II-C and III-B
    backbone: str = "VGG16"  # of single models: the saved one, timings, paper against code
    backbones: tuple[str, ...] = ("VGG16", "Xception", "MobileNetV2")
    weights: str = "imagenet"  # or random: smoke only, and named in tables
    head_epochs: int = 20
    n_heads: int = 3  # a round or fold, and input

    # Rounds of Tables I and II (04, 05), III-B (02, 03)
    n_rounds: int = 10
    oof_folds: int = 5  # of cross-fitting in round 0
    variant_epochs: int = 50  # of the U-Nets that compare paper and code
    tune_size: int = 128  # pixels
    tune_epochs: int = 100
    tune_passes: int = 5
    tune_images: int = 0  # of the training part; 0: all
    tune_components: str = "all"  # or names, separated by blanks

    # Grouped cross-validation, 07 and 08
    n_folds: int = 5
    n_partitions: int = 3
    crop_size: int = 256  # pixels of the images that lesions are cut out of; 0: image_size
    fine_tuned_epochs: int = 24
    excluded: str = ""  # CSV with a column name: images to leave out (axilla, say), which BUSI does not mark

    # Paper B
    nas_digits: str = "mnist"  # or small: scikit-learn's 8×8 digits
    nas_train: int = 54_000  # images that printed networks are trained on
    nas_validation: int = 6_000  # images that choose
    nas_test: int = 10_000
    nas_epochs: int = 10  # at most, IV-D2
    search_train: int = 5_000  # images that children of a search are trained on
    search_validation: int = 1_000
    search_epochs: int = 3
    search_iterations: int = 3
    search_models: int = 21  # a search, the initial one included
    search_seeds: int = 5  # pairs of searches
    # Tables II to IV: printed networks that are trained as they are, the most telling first.
    nas_printed: tuple[str, ...] = ("M", "MNIST BbNAS", "M_0", "M_1", "M_2", "M_3", "MNIST SE-BbNAS")
    nas_long_epochs: int = 30  # of the best small network that the searches find
    nas_mammograms: str = "at hand"  # KAU-BCMD if it is there, else mini-MIAS; or kau-bcmd, mini-mias, phantoms
    mammogram_epochs: int = 30
    mammogram_seeds: int = 3


_PROFILES = tomllib.loads(Path(__file__).with_name("profiles.toml").read_text(encoding="utf-8"))


# Environment variables; the first three are set by the options of the same names.
RETRAIN, TRAIN, JOBS, REPLAY = "PAPER_RETRAIN", "PAPER_TRAIN", "PAPER_JOBS", "PAPER_REPLAY"


def store_of(profile: Profile) -> store.Store:
    """Where results of a profile are looked up and kept; real-data runs read and add to the published ones.

    ``PAPER_RETRAIN=1`` (``--retrain``) ignores what is published, and publishes nothing; ``PAPER_REPLAY=1`` reads
    what is published, and adds nothing.
    """
    # Apart, so that neither takes the results of the other for its own.
    folder = "retrained" if _asked(RETRAIN) else "results"
    working = paths.artifacts(profile.name) / folder / runtime.backend_id()
    if profile.data == "phantoms" or _asked(RETRAIN):
        return store.Store(working)
    return store.Store(working, store.PUBLISHED, publish=not _asked(REPLAY))


def _asked(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


def names() -> tuple[str, ...]:
    """Known profiles, cheapest first."""
    return tuple(_PROFILES)


def get(name: str, **overrides: Any) -> Profile:
    """The profile called ``name``, with some settings replaced.

    ``PAPER_TRAIN=1`` (``--train``) makes it train costly jobs, ``PAPER_JOBS`` (``--jobs``) several at a time.

    Raises
    ------
    SettingsError
        For an unknown name or an unknown setting.
    """
    check_choice("profile", name, names())
    asked: dict[str, Any] = {"trains": True} if _asked(TRAIN) or _asked(RETRAIN) else {}
    if workers := os.environ.get(JOBS):
        if not re.fullmatch("[0-9]{1,4}", workers):
            raise SettingsError(f"--jobs ({JOBS}) must be a whole number from 0 to 9999, not {workers!r}")
        asked["workers"] = int(workers)
    settings = {"name": name, **_PROFILES[name], **asked, **overrides}
    for key, value in settings.items():
        check_choice("setting", key, tuple(field.name for field in fields(Profile)))
        settings[key] = tuple(value) if isinstance(value, list) else value
    return Profile(**settings)


def check_seed(seed: int) -> None:
    """Raise a :class:`SettingsError` unless it is an integer from 0 to 2**32 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise SettingsError(f"seed must be an integer from 0 to 2**32 - 1, not {seed!r}")


def check_choice(what: str, value: str, choices: tuple[str, ...]) -> str:
    """``value`` if it is one of ``choices``; otherwise a :class:`SettingsError` naming them."""
    if value not in choices:
        near = "".join(f"did you mean {one!r}? " for one in get_close_matches(str(value), choices, n=1))
        raise SettingsError(f"unknown {what} {value!r}; {near}known: {', '.join(choices)}")
    return value
