"""``smoke``, ``lite`` and ``full``: the same code with other numbers.

Flat frozen settings; an unknown profile or a misspelt key raises and names the nearest known one.
"""

import os
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from lib.core import paths, runtime, store


class SettingsError(ValueError):
    """An unknown profile, an unknown setting or a value outside its choices."""


@dataclass(frozen=True)
class Profile:
    """Settings of a run.  The defaults are those of ``report/protocol.md`` (profile ``lite``)."""

    name: str = "lite"
    note: str = "as in report/protocol.md; backbones whose weights are at hand"  # shown once under a notebook's title
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
    n_partitions: int = 1
    crop_size: int = 256  # pixels of the images that lesions are cut out of; 0: image_size
    fine_tuned_epochs: int = 24
    conflicts: str = "keep"  # or drop: groups whose images have different labels
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


_PROFILES = {
    "full": Profile(
        name="full",
        note="as in report/protocol.md, with all thirteen backbones and the paper's DenseNet-201",
        trains=True,
        backbone="DenseNet201",
        backbones=(
            "VGG16",
            "ResNet152",
            "ResNet152V2",
            "InceptionV3",
            "InceptionResNetV2",
            "Xception",
            "DenseNet201",
            "MobileNet",
            "MobileNetV2",
            "NASNetLarge",
            "EfficientNetB7",
            "EfficientNetV2L",
            "ConvNeXtXLarge",
        ),
        n_partitions=3,
    ),
    "lite": Profile(),
    "smoke": Profile(
        name="smoke",
        note="phantoms of 64 pixels, 8 filters, a few epochs, random backbone weights: shows only that it runs",
        trains=True,
        data="phantoms",
        n_phantoms=160,
        image_size=64,
        unet_filters=8,
        unet_epochs=4,
        unet_batch=8,
        unet_bn_momentum=0.8,
        encoder_epochs=2,
        encoder_batch=16,
        backbone="MobileNetV2",
        backbones=("MobileNetV2",),
        weights="random",
        head_epochs=8,
        n_heads=2,
        n_rounds=2,
        oof_folds=2,
        variant_epochs=4,
        tune_size=64,
        tune_epochs=2,
        tune_passes=1,
        tune_images=32,
        tune_components="batch_norm units",
        n_folds=3,
        crop_size=0,
        fine_tuned_epochs=1,
        nas_digits="small",
        nas_train=400,
        nas_validation=200,
        nas_test=300,
        nas_epochs=1,
        search_train=400,
        search_validation=200,
        search_epochs=1,
        search_iterations=1,
        search_models=3,
        search_seeds=1,
        nas_printed=("M",),
        nas_long_epochs=1,
        nas_mammograms="phantoms",
        mammogram_epochs=1,
        mammogram_seeds=1,
    ),
}


# Environment variables; the first three are set by the options of the same names.
RETRAIN, TRAIN, JOBS, REPLAY = "PAPER_RETRAIN", "PAPER_TRAIN", "PAPER_JOBS", "PAPER_REPLAY"


def store_of(profile: Profile) -> store.Store:
    """Where results of a profile are looked up and kept; real-data runs read and add to the published ones.

    ``PAPER_RETRAIN=1`` (``--retrain``) ignores what is published, and publishes nothing; ``PAPER_REPLAY=1`` reads
    what is published, and adds nothing.
    """
    working = paths.artifacts(profile.name) / "results" / runtime.backend_id()
    if profile.data == "phantoms" or os.environ.get(RETRAIN):
        return store.Store(working)
    return store.Store(working, store.PUBLISHED, publish=not os.environ.get(REPLAY))


def names() -> tuple[str, ...]:
    """Known profiles, cheapest first."""
    return tuple(reversed(_PROFILES))


def get(name: str, **overrides: Any) -> Profile:
    """The profile called ``name``, with some settings replaced.

    ``PAPER_TRAIN=1`` (``--train``) makes it train costly jobs, ``PAPER_JOBS`` (``--jobs``) several at a time.

    Raises
    ------
    SettingsError
        For an unknown name or an unknown setting.
    """
    if name not in _PROFILES:
        raise SettingsError(f"unknown profile {name!r}; {_hint(name, names())}")
    known = tuple(field.name for field in fields(Profile))
    for key in overrides:
        if key not in known:
            raise SettingsError(f"profile {name!r} has no setting {key!r}; {_hint(key, known)}")
    profile = _PROFILES[name]
    trains = profile.trains or any(os.environ.get(one) for one in (TRAIN, RETRAIN))
    workers = int(os.environ.get(JOBS) or profile.workers)
    return replace(profile, **{"trains": trains, "workers": workers, **overrides})


def check_seed(seed: int) -> None:
    """Raise a :class:`SettingsError` unless it is an integer from 0 to 2**32 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise SettingsError(f"seed must be an integer from 0 to 2**32 - 1, not {seed!r}")


def check_choice(what: str, value: str, choices: tuple[str, ...]) -> str:
    """``value`` if it is one of ``choices``; otherwise a :class:`SettingsError` naming them."""
    if value not in choices:
        raise SettingsError(f"unknown {what} {value!r}; {_hint(value, choices)}")
    return value


def _hint(word: str, choices: tuple[str, ...]) -> str:
    near = get_close_matches(str(word), choices, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(choices)}"
