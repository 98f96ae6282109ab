"""Table II: thirteen ImageNet networks as backbones, with one head and one training for all (paper A, IV-C)."""

import time
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
_TIMED = 16  # images


@jobs.step("backbone_cost", version=1, quick=True)
def backbone_cost(name: str, size: int) -> dict[str, Any]:
    """What a backbone costs at ``size`` × ``size`` pixels without its top, as a job; no weights are needed.

    Returns
    -------
    ``parameters``; ``multiply-adds`` per image; ``features``: length of the flattened map; ``ms``: milliseconds
    per image, warm, in a batch of 16, on ``machine``.
    """
    network = backbones.builder(name)(include_top=False, weights=None, input_shape=(size, size, 3))
    images = np.zeros((_TIMED, size, size, 3), np.float32)
    network.predict(images, batch_size=_TIMED, verbose=0)
    began = time.perf_counter()
    network.predict(images, batch_size=_TIMED, verbose=0)
    milliseconds = 1000 * (time.perf_counter() - began) / _TIMED
    counted = {"parameters": network.count_params(), "multiply-adds": cost.multiply_adds(network)}
    features = int(np.prod(network.output_shape[1:]))
    keras.utils.clear_session()
    return {**counted, "features": features, "ms": milliseconds, "machine": str(runtime.machine())}


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


def table_2(rounds: pd.DataFrame, printed: pd.DataFrame, states: Mapping[str, str]) -> pd.DataFrame:
    """Table II: for each network the paper's row, then ours on the image with raw pixels and its own preprocessing.

    Parameters
    ----------
    rounds : of :func:`lib.experiments.input_ablation.by_round`.
    printed : of :func:`lib.reported.two_stage.table_ii`.
    states : of :func:`states`; stands in the column ``weights`` of our first row, without one in the paper's.
    """
    here = input_ablation.over_rounds(rounds).swaplevel()
    here = here[here.index.isin(["image", OWN], level=1)].rename({"image": "here, raw", OWN: "here, own"}, level=1)
    paper = printed.map("{:.3f}".format)
    paper.index = pd.MultiIndex.from_product([paper.index, ["paper"]], names=["backbone", "row"])
    both = pd.concat([paper, here.rename_axis(["backbone", "row"])])
    names = both.index.get_level_values("backbone").to_series(both.index)
    said = both.index.isin(["here, raw"], level="row") | ~names.isin(here.index.get_level_values("backbone")).to_numpy()
    both.insert(both.columns.get_loc("rounds"), "weights", names.map(states).where(said))
    return both.sort_index(level="backbone", key=printed.index.get_indexer, sort_remaining=False, kind="stable")


def states(plan: Plan, results: Mapping[tuple[str, int], Result]) -> dict[str, str]:
    """For each network of Table II the fingerprint of its weights, or why it is not run."""
    found = dict.fromkeys(backbones.BACKBONES, "not run here")
    for name in {backbone for backbone, _ in results}:
        own = [result for (backbone, _), result in results.items() if backbone == name]
        if any(own):
            found[name] = backbones.identity(name, plan.profile.weights)[:8]
        elif any("WeightsError" in result.error for result in own):
            found[name] = "weights not at hand"
    return found


def accuracies(rounds: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """Accuracy on the image alone with raw pixels by backbone: ``paper``, ``here`` and ``sd`` over rounds."""
    image = rounds[rounds.index.get_level_values("inputs") == "image"]["accuracy"].groupby("backbone")
    table = pd.DataFrame({"paper": printed["accuracy"], "here": image.mean(), "sd": image.std()})
    return table.reindex(list(backbones.BACKBONES)).rename_axis("backbone")
