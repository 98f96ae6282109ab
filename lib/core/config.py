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
    pretrained_epochs: int = 24  # of the U-Net with an ImageNet encoder
    pretrained_batch: int = 16

    # Stage 2, II-C and III-B
    backbone: str = "DenseNet201"
    weights: str = "imagenet"  # or random: smoke only, and said in every table
    preprocessing: str = "raw"  # [0, 1] values as the authors' code, or own: the backbone's
    features: str = "flatten"  # as the authors' code, or pooled
    head_epochs: int = 20
    n_rounds: int = 10

    # Comparisons of 04 and 05
    n_jobs: int = 0  # rounds at a time: 0 in this process (one GPU), else so many processes of one thread
    n_unets: int = 10  # trainings of the paper's U-Net that the rounds use in turn
    n_pretrained: int = 10  # the same of the U-Net with an ImageNet encoder
    n_folds: int = 5  # cross-fitting of out-of-fold masks, ImageNet encoder
    unet_folds: int = 5  # the same for the paper's U-Net; 0: not done
    rounds_split: str = "shared"  # by all rounds, as in the paper, or a new one for each U-Net
    baselines: str = "all"  # or names of backbones
    switch_size: int = 128  # pixels, of the comparison of paper and code
    switch_epochs: int = 50
    switch_folds: int = 5
    tune_size: int = 128  # pixels, III-B
    tune_epochs: int = 100
    tune_passes: int = 5
    tune_images: int = 0  # of the training part; 0: all
    tune_components: str = "all"  # or names

    # Honest evaluation, 07
    grouped_cuts: str = "none"  # said in the caption of every table of 07_honest_evaluation
    grouped_folds: int = 5
    grouped_seeds: int = 5  # heads a fold
    grouped_epochs: int = 24  # of the U-Nets, one for each pair of folds
    crop_size: int = 256  # pixels of the images that lesions are cut out of; 0: image_size
    grouped_backbones: str = "DenseNet201 VGG16 Xception MobileNetV2"
    grouped_rows: str = "all"  # or names of rows of lib.experiments.model_comparison, separated by "; "
    fine_tuned_epochs: int = 24
    attempt_sizes: str = "128 256"  # pixels, of further networks for better masks, separated by blanks
    attention_epochs: int = 50  # of the attention U-Net and the U-Net it is compared with; 0: not trained
    conflicts: str = "keep"  # or drop: groups whose images have different labels
    excluded: str = ""  # CSV with a column name: images to leave out (axilla, say), which BUSI does not mark

    # Paper B
    nas_cuts: str = "none: the paper's protocol"  # said in the caption of every table of 06_nas
    nas_digits: str = "mnist"  # or small: scikit-learn's 8×8 digits
    nas_train: int = 54_000  # images that children learn from
    nas_validation: int = 6_000  # images that choose
    nas_test: int = 10_000  # images that the searches' winners are tested on
    nas_epochs: int = 10  # at most, IV-D2
    nas_iterations: int = 10  # at most; the paper stops when the best declines
    nas_models: int = 60  # a search, the initial one included
    nas_hours: float = 12.0  # of training a search, IV
    nas_compared: str = "BbNAS"  # space in which the search is set against random search: BbNAS, SE-BbNAS, improved
    nas_seeds: int = 3  # searches of each kind in that comparison
    nas_direct: str = "II III IV V VI"  # tables whose printed networks are trained as they are
    nas_jobs: int = 0  # children at a time: 0 in this process (one GPU), else so many processes of one thread
    nas_mammograms: str = "at hand"  # KAU-BCMD if it is there, else mini-MIAS; or kau-bcmd, mini-mias, phantoms
    nas_mammogram_models: int = 60
    nas_final_epochs: int = 30  # of the compact model, on all training images


_PROFILES = {
    "full": Profile(),
    "lite": Profile(
        name="lite",
        cuts=(
            "U-Net 16 epochs of 50, batches of 16, momentum 0.9; ImageNet encoder 16 epochs of 24, 3 folds of 5; "
            "MobileNetV2 for DenseNet201; 6 rounds of 10, one U-Net, two encoders on two splits; tuning and switches: "
            "smaller images, fewer epochs"
        ),
        unet_epochs=16,
        unet_batch=16,
        unet_bn_momentum=0.9,
        pretrained_epochs=16,
        pretrained_batch=8,
        backbone="MobileNetV2",
        n_rounds=6,
        n_unets=1,
        n_pretrained=2,
        rounds_split="new",
        n_folds=3,
        unet_folds=0,
        switch_size=64,
        switch_epochs=8,
        switch_folds=2,
        tune_size=64,
        tune_epochs=4,
        tune_passes=1,
        tune_images=200,
        grouped_cuts=(
            "2 heads a fold of 5; 16 epochs of 24 for stage 1, 10 of 24 for fine-tuning, 6 of 50 where stages 1 are "
            "compared; no DenseNet201"
        ),
        grouped_seeds=2,
        grouped_epochs=16,
        grouped_backbones="VGG16 Xception MobileNetV2",
        fine_tuned_epochs=10,
        attempt_sizes="128",
        attention_epochs=6,
        nas_cuts=(
            "1,000 of 60,000 training and 2,000 test images, 2 epochs of 10, 9 models a search (mammograms: 3), "
            "3 seeds against random search, else 1; the compact network alone: all images, 10 epochs of 30"
        ),
        nas_train=1_000,
        nas_validation=400,
        nas_test=2_000,
        nas_epochs=2,
        nas_iterations=2,
        nas_models=9,
        nas_seeds=3,
        nas_jobs=2,
        nas_mammogram_models=3,
        nas_final_epochs=10,
    ),
    "smoke": Profile(
        name="smoke",
        cuts="phantoms of 64 pixels, 8 filters, a few epochs, random backbone weights: shows only that it runs",
        data="phantoms",
        n_phantoms=160,
        image_size=64,
        unet_filters=8,
        unet_epochs=6,
        unet_batch=4,
        unet_bn_momentum=0.8,
        pretrained_epochs=3,
        pretrained_batch=8,
        backbone="MobileNetV2",
        weights="random",
        head_epochs=8,
        n_rounds=2,
        n_unets=1,
        n_pretrained=1,
        n_folds=2,
        unet_folds=0,
        baselines="MobileNet MobileNetV2",
        switch_size=32,
        switch_epochs=1,
        switch_folds=2,
        tune_size=32,
        tune_epochs=1,
        tune_passes=1,
        tune_images=32,
        tune_components="batch_norm units",
        grouped_cuts="phantoms of 64 pixels, 3 folds, a few epochs, random backbone weights: shows only that it runs",
        grouped_folds=3,
        grouped_seeds=2,
        grouped_epochs=2,
        crop_size=0,
        grouped_backbones="MobileNetV2",
        grouped_rows="pooled MobileNetV2; mask descriptors",
        fine_tuned_epochs=1,
        attempt_sizes="",
        attention_epochs=0,
        nas_cuts="digits of 8 pixels and phantoms, one epoch, a few models: shows only that it runs",
        nas_digits="small",
        nas_train=400,
        nas_validation=200,
        nas_test=300,
        nas_epochs=1,
        nas_iterations=1,
        nas_models=3,
        nas_compared="BbNAS",
        nas_seeds=1,
        nas_direct="II VI",
        nas_jobs=0,
        nas_mammograms="phantoms",
        nas_mammogram_models=1,
        nas_final_epochs=1,
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
