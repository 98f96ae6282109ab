"""Paper B's experiments: which networks and searches a profile trains (``report/protocol.md``, P5, P6 and 7.1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lib.core import jobs, raw
from lib.core.config import Profile, store_of
from lib.core.jobs import Job, Result
from lib.data import sources, splits
from lib.data.record import ImageSet
from lib.nas.child import Recipe, nas_child
from lib.nas.notation import Architecture, parse
from lib.nas.search import Results, Search, SearchSettings, best
from lib.nas.transforms import improved_space
from lib.reported import nas as reported

# By profile: their source, the shape of one image, and their name in captions.
DIGITS = {
    "mnist": (sources.Mnist, (28, 28, 1), "MNIST"),
    "small": (sources.SmallDigits, (8, 8, 1), "scikit-learn's digits, not MNIST"),
}
MAMMOGRAMS: dict[str, Callable[[], sources.Source]] = {
    "mini-mias": sources.MiniMias,
    "kau-bcmd": sources.KauBcmd,
    "phantoms": sources.MammogramPhantoms,
}
BLOCKS = {"plain": "KAU-BCMD SE swapped for IB", "SE": "KAU-BCMD SE-BbNAS"}  # Tables VI and V
STRATEGIES = {"BbNAS": "evolve", "random": "random"}
# The paper's 0.02 keeps normalised convolutions from learning within three epochs: the protocol's first amendment.
NO_PENALTY = 0.0
SMALL = 150_000  # parameters


def planned(profile: Profile, seed: int = 0) -> list[Job]:
    """All trainings that can be planned by now, the most valuable first; the searches pair by pair.

    To be asked again when they are done: a child depends on the results of its parents' iteration.
    """
    store, wanted = store_of(profile), [*printed_jobs(profile, seed).values(), *mammogram_jobs(profile).values()]

    def results(wave: Sequence[Job]) -> list[Result]:
        wanted.extend(wave)
        return jobs.run(wave, store, train=False)

    run_searches(profile, results, seed)
    exploratory = [*unpenalised_jobs(profile, seed).values(), *unpenalised_mammogram_jobs(profile).values()]
    return list(dict.fromkeys([*wanted, *exploratory]))


def printed_jobs(profile: Profile, seed: int = 0, l2: float = Recipe.l2) -> dict[str, Job]:
    """The digit networks of Tables II to IV as they are printed, by their name in :mod:`lib.reported.nas`."""
    texts, recipe = reported.NETWORKS.text, Recipe(epochs=profile.nas_epochs, l2=l2)
    return {name: digit_job(profile, parse(texts[name]), recipe, seed) for name in profile.nas_printed}


def unpenalised_jobs(profile: Profile, seed: int = 0) -> dict[str, Job]:
    """Exploratory: the networks of Tables II and IV as printed, but without the penalty."""
    jobs_of = printed_jobs(profile, seed, NO_PENALTY)
    return {name: job for name, job in jobs_of.items() if reported.NETWORKS.results[name] != "III"}


def digit_job(profile: Profile, architecture: Architecture, recipe: Recipe, seed: int, in_search: bool = False) -> Job:
    """A training on all digits but those of the validation part, scored on the test images.

    ``seed`` draws the parts.  In a search they are small parts of these, and no test image is seen.
    """
    source, *_ = DIGITS[profile.nas_digits]
    order = np.random.default_rng(seed).permutation(profile.nas_train + profile.nas_validation)
    n_train, n_validation, tested = profile.search_train, profile.search_validation, {}
    if not in_search:
        n_train, n_validation = profile.nas_train, profile.nas_validation
        tested = {"test_data": source("test"), "test": np.arange(profile.nas_test)}
    train, validation = np.sort(order[:n_train]), np.sort(order[len(order) - n_validation :])
    parts = {"data": source(), "train": train, "validation": validation, **tested}
    return nas_child(text=str(architecture.canonical), settings=recipe, seed=seed, **parts)


@dataclass(frozen=True)
class Searches:
    """Pairs of a search and a random search on the same images, by strategy and seed.

    Attributes
    ----------
    found : the searches.
    models : of all of them; see :class:`lib.nas.search.Search`.
    winners : of those that are complete, the most accurate model on the validation images, retrained.
    small : the retrained best model below 150,000 parameters of all searches, or None before they are complete.
    """

    found: Mapping[tuple[str, int], Search]
    models: pd.DataFrame
    winners: Mapping[tuple[str, int], Result]
    small: Result | None


def run_searches(profile: Profile, results: Results, seed: int = 0) -> Searches:
    """Search against random search (P6), pair by pair, as far as ``results`` gives results.

    ``results`` takes a wave of jobs, for example :meth:`lib.core.run.Run.results`.  Called again it goes on
    where results were missing.
    """
    found, winners, small = {}, {}, None
    budget, short = (profile.search_iterations, profile.search_models), Recipe(profile.search_epochs, l2=NO_PENALTY)
    recipe = Recipe(epochs=profile.nas_epochs, l2=NO_PENALTY, patience=0)
    for number, name in product(range(seed, seed + profile.search_seeds), STRATEGIES):
        plan = SearchSettings(improved_space(), DIGITS[profile.nas_digits][1], STRATEGIES[name], number, *budget)
        make_job = partial(digit_job, profile, recipe=short, seed=number, in_search=True)
        one = found[name, number] = Search(plan, make_job, results)
        if one.complete and (top := best(one.frame)) is not None:
            (winners[name, number],) = results([digit_job(profile, parse(top.text), recipe, number)])
    models = pd.concat({key: one.frame for key, one in found.items()}, names=["strategy", "seed"])
    top = best(models[models.parameters < SMALL])
    if all(one.complete for one in found.values()) and top is not None:
        long = Recipe(profile.nas_long_epochs, 128, 2e-3, NO_PENALTY, 0, "cosine", "digits")
        (small,) = results([digit_job(profile, parse(top.text), long, seed)])
    return Searches(found, models, winners, small)


@jobs.step("image_labels", version=1, quick=True)
def image_labels(data: ImageSet) -> dict[str, Any]:
    """Labels, groups, classes and name of a data set: so its folds and scores are known where its images are not."""
    return {"labels": data.labels, "groups": data.groups, "classes": list(data.classes), "source": data.source}


def mammogram_labels(profile: Profile) -> Result:
    """:func:`image_labels` of the profile's mammograms; false where they are neither at hand nor published."""
    return jobs.run([image_labels(data=_mammograms(profile))], store_of(profile))[0]


def _mammograms(profile: Profile) -> sources.Source:
    at_hand = "kau-bcmd" if raw.files("kau-bcmd") else "mini-mias"
    return MAMMOGRAMS[at_hand if profile.nas_mammograms == "at hand" else profile.nas_mammograms]()


def mammogram_jobs(profile: Profile, l2: float = Recipe.l2) -> dict[tuple[str, int, int], Job]:
    """Table VI's network with plain and with SE blocks, by kind, seed and fold (P5); folds keep patients together.

    Fold k is the test set, fold k + 1 the validation set.  Empty where nothing is known of the mammograms.
    """
    known = mammogram_labels(profile)
    if not known:
        return {}
    data, folds = _mammograms(profile), splits.k_fold(known["labels"], profile.n_folds, 0, known["groups"])
    texts, recipe = reported.NETWORKS.text, Recipe(epochs=profile.mammogram_epochs, l2=l2, patience=0)
    made = {}
    for seed, fold in product(range(profile.mammogram_seeds), range(profile.n_folds)):
        beside = (fold + 1) % profile.n_folds
        parts = {"validation": np.flatnonzero(folds == beside), "test": np.flatnonzero(folds == fold)}
        parts["train"] = np.flatnonzero(~np.isin(folds, [fold, beside]))
        for kind, name in BLOCKS.items():
            text = str(parse(texts[name]).canonical)
            made[kind, seed, fold] = nas_child(data=data, text=text, settings=recipe, seed=seed, **parts)
    return made


def unpenalised_mammogram_jobs(profile: Profile) -> dict[tuple[str, int, int], Job]:
    """Exploratory: the trainings of :func:`mammogram_jobs` with seed 0, but without the penalty."""
    return {key: job for key, job in mammogram_jobs(profile, NO_PENALTY).items() if key[1] == 0}
