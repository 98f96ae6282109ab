"""Paper B's experiments as the notebook runs them: the profile's data and settings, one function each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib import paths
from lib.data import digits, mammograms, phantoms, splits
from lib.data.record import ImageSet
from lib.nas import final, transforms
from lib.nas.notation import Architecture, parse
from lib.nas.search import Budget, Result, Settings, search
from lib.nas.training import Data, Recipe
from lib.nas.transforms import Space
from lib.profiles import Profile, check_choice
from lib.run import Run

DIGITS = ("mnist", "small")
MAMMOGRAMS = ("at hand", "kau-bcmd", "mini-mias", "phantoms")
# Made by hand in the improved space; trained on all images, where the searches see a part of them.
COMPACT = "CN(32,3) P(2,2) SEIB(16,16,32,8,16,16) P(2,2) SEIB(24,32,64,8,24,24) CN(64,3) AT(4) GAP() FC({classes})"


@dataclass(frozen=True)
class Task:
    """A data set cut for a search.

    Attributes
    ----------
    data : what children see.
    test : images and labels, looked at once a final model.
    everything : all images that are not test images, for a final training without choices.
    classes : names in label order.
    source : one line for captions.
    """

    data: Data
    test: tuple[np.ndarray, np.ndarray]
    everything: Data
    classes: tuple[str, ...]
    source: str

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.data.input_shape

    def counts(self) -> pd.DataFrame:
        """Images a part and class, with the share of the commonest class."""
        labels = {"train": self.data.train_labels, "validation": self.data.validation_labels, "test": self.test[1]}
        width = len(self.classes)
        frame = pd.DataFrame({part: np.bincount(values, minlength=width) for part, values in labels.items()}).T
        frame.columns = self.classes
        return frame.assign(images=frame.sum(axis=1), majority=frame.max(axis=1) / frame.sum(axis=1))


def digits_task(profile: Profile, seed: int) -> Task:
    """MNIST or the small digits; a subset for the search is drawn with the classes' proportions."""
    check_choice("nas_digits", profile.nas_digits, DIGITS)
    if profile.nas_digits == "mnist":
        rest, test = digits.mnist()
    else:
        images = digits.small()
        split = splits.stratified(images.labels, seed, train=0.6, validation=0.2)
        rest, test = images.select(np.concatenate([split.train, split.validation])), images.select(split.test)
    train, validation = digits.sample(rest.labels, (profile.nas_train, profile.nas_validation), seed)
    source = f"{rest.source}: {len(train)} training, {len(validation)} validation, {len(test)} test images"
    return _task(rest.select(train), rest.select(validation), test, rest, source)


def mammogram_task(profile: Profile, seed: int) -> Task:
    """The mammograms that the profile asks for, split by case or patient.

    KAU-BCMD is split 85:10:5 as in the paper.  mini-MIAS is too small for a validation part of 5 %:
    70:15:15.  Phantoms stand in for mammograms where there are no files; they show nothing.
    """
    kind = check_choice("nas_mammograms", profile.nas_mammograms, MAMMOGRAMS)
    if kind == "at hand":
        kind = "kau-bcmd" if paths.find_data("kau-bcmd") else "mini-mias"
    if kind == "kau-bcmd":
        images, shares = mammograms.kau_bcmd(), (0.85, 0.05)
    elif kind == "mini-mias":
        images, shares = mammograms.mini_mias(), (0.7, 0.15)
    else:
        images, shares = _shrunk_phantoms(), (0.6, 0.2)
    split = splits.grouped(images.labels, images.groups, seed, *shares)
    parts = [images.select(indices) for indices in split.parts().values()]
    rest = images.select(np.concatenate([split.train, split.validation]))
    sizes = ":".join(str(len(part)) for part in parts)
    return _task(*parts, rest, f"{images.source}, training:validation:test {sizes}, split by patient")


def recipe(profile: Profile) -> Recipe:
    """The paper's training with the profile's epochs."""
    return Recipe(epochs=profile.nas_epochs)


def final_recipe(profile: Profile) -> Recipe:
    """How the compact model is trained: stated, because it is not the paper's."""
    return Recipe(
        epochs=profile.nas_final_epochs,
        batch=128,
        learning_rate=2e-3,
        l2=0.0,
        decay=0.02,
        patience=0,
        cosine=True,
        augment=2.0,
    )


def run_search(run: Run, task: Task, space: Space, name: str, strategy: str = "evolve", **changes) -> Result:
    """One search of this run, resumed if it was interrupted; ``changes`` replace settings.

    ``seed`` among them numbers the search; the run's seed is added.
    """
    profile = run.profile
    models = changes.pop("models", profile.nas_models)
    seed = run.seed + changes.pop("seed", 0)
    settings = Settings(space, recipe(profile), seed, strategy, profile.nas_iterations, **changes)
    budget = Budget(models, profile.nas_hours * 3600)
    return search(task.data, settings, folder(run, f"{name}-{seed}"), budget, profile.nas_jobs)


def folder(run: Run, name: str) -> Path:
    """Where a search keeps its journal and weights."""
    return run.folder / "nas" / name


def run_seeds(run: Run, task: Task, space: Space, name: str, strategy: str = "evolve", **changes) -> list[Result]:
    """The profile's number of searches, which differ in their seed only."""
    return [run_search(run, task, space, name, strategy, seed=seed, **changes) for seed in range(run.profile.nas_seeds)]


def train_directly(run: Run, task: Task, texts: dict[str, str], training: Recipe | None = None) -> pd.DataFrame:
    """Architectures of the paper trained as they are printed: one row of scores each, on the test images."""
    rows = {}
    for name, text in texts.items():
        architecture = with_classes(parse(text), len(task.classes))
        trained = final.train_and_test(
            architecture, task.data, task.test, training or recipe(run.profile), run.seed, run.cache
        )
        rows[name] = {"parameters": trained.parameters, "epochs": trained.epochs, "seconds": trained.seconds}
        rows[name] |= trained.scores()
    return pd.DataFrame(rows).T


def train_compact(run: Run, task: Task) -> tuple[Architecture, final.Final]:
    """The compact model of the improved space, trained on everything that is not test data."""
    architecture = parse(COMPACT.format(classes=len(task.classes)))
    return architecture, final.train_and_test(
        architecture, task.everything, task.test, final_recipe(run.profile), run.seed, run.cache
    )


def test_winners(task: Task, results: dict[str, Sequence[Result]]) -> pd.DataFrame:
    """The winner of every search, scored on the test images: the only time that they are looked at."""
    rows = []
    for name, several in results.items():
        for number, result in enumerate(several):
            row = result.frame.set_index("hash").loc[result.best]
            scores = final.test_once(result.architecture(), result.weights(), task.test)
            rows.append(
                {
                    "search": name,
                    "number": number,
                    "models": int((result.frame.status == "ok").sum()),
                    "hours": result.frame.seconds.sum() / 3600,
                    "parameters": int(row.parameters),
                    "validation": row.accuracy,
                    **scores,
                    "winner": row.text,
                }
            )
    return pd.DataFrame(rows).set_index(["search", "number"])


def with_classes(architecture: Architecture, classes: int) -> Architecture:
    """The architecture with so many outputs."""
    last = len(architecture) - 1
    return architecture.swap(last, type(architecture.layers[last])(classes))


def spaces(classes: int) -> dict[str, Space]:
    """The three search spaces by name."""
    return {
        "BbNAS": transforms.paper_space("IB", classes),
        "SE-BbNAS": transforms.paper_space("SEIB", classes),
        "improved": transforms.improved_space(classes),
    }


def _task(train: ImageSet, validation: ImageSet, test: ImageSet, rest: ImageSet, source: str) -> Task:
    width = len(train.classes)
    data = Data(train.images, train.labels, validation.images, validation.labels, width)
    everything = Data(rest.images, rest.labels, rest.images[:0], rest.labels[:0], width)
    return Task(data, (test.images, test.labels), everything, train.classes, source)


def _shrunk_phantoms(n: int = 60) -> ImageSet:
    images = phantoms.make(n, size=32, seed=0)
    small = images.images.reshape(n, 16, 2, 16, 2, 1).mean(axis=(2, 4), dtype=np.float32)
    pairs = np.arange(n) // 2
    return ImageSet(small, images.labels, images.names, images.classes, f"{n} phantoms at 16×16", groups=pairs)
