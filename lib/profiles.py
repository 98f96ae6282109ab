"""``smoke``, ``lite`` and ``full``: the same code with other numbers.

Flat frozen settings; an unknown profile or a misspelt key raises and names the nearest known one.
"""

from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any


class SettingsError(ValueError):
    """An unknown profile, an unknown setting or a value outside its choices."""


@dataclass(frozen=True)
class Profile:
    """Settings of a run.  The defaults are the papers' protocol (profile ``full``)."""

    name: str = "full"
    cuts: str = "none: the papers' protocol"  # printed under every table

    # Data of paper A
    data: str = "busi"  # busi or phantoms
    n_phantoms: int = 0
    image_size: int = 128  # pixels, II-A
    masks: str = "union"  # union of an image's masks, or first: only _mask.png, the authors' code
    resize: str = "bilinear"  # as the authors' code, or area

    # Stage 1, II-B and III-B
    unet_filters: int = 16
    unet_epochs: int = 50
    unet_batch: int = 32
    unet_bn_momentum: float = 0.99

    # Stage 2, II-C and III-B
    backbone: str = "DenseNet201"
    weights: str = "imagenet"  # or random: smoke only, and said in every table
    preprocessing: str = "raw"  # [0, 1] values as the authors' code, or own: the backbone's
    features: str = "flatten"  # as the authors' code, or pooled
    head_epochs: int = 20
    n_rounds: int = 10


_PROFILES = {
    "full": Profile(),
    "lite": Profile(
        name="lite",
        cuts="25 U-Net epochs of 50, batches of 16, momentum 0.9; VGG16 for DenseNet201; 5 heads on one U-Net",
        unet_epochs=25,
        unet_batch=16,
        unet_bn_momentum=0.9,
        backbone="VGG16",
        n_rounds=5,
    ),
    "smoke": Profile(
        name="smoke",
        cuts="phantoms of 64 pixels, 8 filters, a few epochs, random backbone weights: shows only that it runs",
        data="phantoms",
        n_phantoms=160,
        image_size=64,
        unet_filters=8,
        unet_epochs=12,
        unet_batch=8,
        unet_bn_momentum=0.8,
        backbone="MobileNetV2",
        weights="random",
        head_epochs=8,
        n_rounds=2,
    ),
}


def names() -> tuple[str, ...]:
    """Known profiles, cheapest first."""
    return tuple(reversed(_PROFILES))


def get(name: str, **overrides: Any) -> Profile:
    """The profile called ``name``, with some settings replaced.

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
    return replace(_PROFILES[name], **overrides)


def check_choice(what: str, value: str, choices: tuple[str, ...]) -> str:
    """``value`` if it is one of ``choices``; otherwise a :class:`SettingsError` naming them."""
    if value not in choices:
        raise SettingsError(f"unknown {what} {value!r}; {_hint(value, choices)}")
    return value


def _hint(word: str, choices: tuple[str, ...]) -> str:
    near = get_close_matches(str(word), choices, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(choices)}"
