"""Table II: thirteen ImageNet networks as backbones, with one head and one training for all (paper A, IV-C)."""

import timeit
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd

from lib.core import jobs, runtime
from lib.core.config import Profile
from lib.core.jobs import Job, Result
from lib.experiments import input_ablation
from lib.experiments.paper_a import Plan
from lib.models import backbones, cost

OWN = "image, own preprocessing"
_TIMED, _TIMES = 16, 5  # images, and how often they are predicted


@jobs.step("backbone_cost", version=2, quick=True)
def backbone_cost(name: str, size: int) -> dict[str, Any]:
    """What a backbone costs at ``size`` × ``size`` pixels without its top, as a job; no weights are needed.

    Returns
    -------
    ``parameters``; ``multiply-adds`` per image; ``features``: length of the flattened map; ``ms``: milliseconds
    per image, warm, in a batch of 16, the least of five, on ``machine``.
    """
    network = backbones.builder(name)(include_top=False, weights=None, input_shape=(size, size, 3))
    images = np.zeros((_TIMED, size, size, 3), np.float32)
    # The first prediction compiles the network, and is not the least.
    seconds = timeit.repeat(lambda: network.predict(images, _TIMED, verbose=0), repeat=_TIMES, number=1)
    counted = {
        "parameters": network.count_params(),
        "multiply-adds": cost.multiply_adds(network),
        "features": int(np.prod(network.output_shape[1:])),
    }
    keras.utils.clear_session()
    return {**counted, "ms": 1000 * min(seconds) / _TIMED, "machine": runtime.machine()}


def costs(profile: Profile) -> dict[str, Job]:
    """The jobs of :func:`backbone_cost` for the profile's backbones, in the order of Table II."""
    names = [name for name in backbones.BACKBONES if name in profile.backbones]
    return {name: backbone_cost(name=name, size=profile.image_size) for name in names}


def own_preprocessing(plan: Plan) -> dict[tuple[str, int], Job]:
    """Heads on the image alone with each backbone's own preprocessing, by backbone and round."""
    return plan.stacked_heads(("image",), preprocessing="own")


def planned(profile: Profile, seed: int = 0) -> list[Job]:
    """The jobs of Table II beside those of Table I, in order of value."""
    plan = Plan(profile, seed)
    return [*costs(profile).values(), *plan.stacked_heads().values(), *own_preprocessing(plan).values()]


def cost_table(results: Mapping[str, Result]) -> pd.DataFrame:
    """Parameters, multiply-adds, features, ``ms`` and ``machine`` of the backbones whose job is done."""
    columns = ["parameters", "multiply-adds", "features", "ms", "machine"]
    done = {name: [result[column] for column in columns] for name, result in results.items() if result}
    return pd.DataFrame.from_dict(done, "index", columns=columns).rename_axis("backbone")


def table_2(rounds: pd.DataFrame, printed: pd.DataFrame, weights: str) -> pd.DataFrame:
    """Table II: for each network the paper's row, then ours on the image with raw pixels and its own preprocessing.

    Parameters
    ----------
    rounds : of :func:`lib.experiments.input_ablation.by_round`.
    printed : of :func:`lib.reported.two_stage.table_ii`.
    weights : of our networks; those that are not run have the paper's row alone.
    """
    names = ["backbone", "row"]
    here = input_ablation.over_rounds(rounds).swaplevel().rename_axis(names)
    here = here[here.index.isin(["image", OWN], level=1)].rename({"image": "here, raw", OWN: "here, own"}, level=1)
    paper = printed.map("{:.4f}".format).set_index(pd.MultiIndex.from_product([printed.index, ["paper"]], names=names))
    both = pd.concat([paper, here.assign(weights=weights)])
    return both.sort_index(level="backbone", key=printed.index.get_indexer, sort_remaining=False, kind="stable")


def accuracies(rounds: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """Accuracy on the image alone with raw pixels by backbone: ``paper``, ``here`` and ``sd`` over rounds."""
    image = rounds[rounds.index.get_level_values("inputs") == "image"]["accuracy"].groupby("backbone")
    table = pd.DataFrame({"paper": printed["accuracy"], "here": image.mean(), "sd": image.std()})
    return table.reindex(list(backbones.BACKBONES)).rename_axis("backbone")
