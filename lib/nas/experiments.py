"""Paper B's experiments as the notebook runs them: the profile's data and settings, one function each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.core import paths
from lib.core.config import Profile, check_choice
from lib.core.run import Run
from lib.data import digits, mammograms, phantoms, splits
from lib.data.record import ImageSet
from lib.nas import final, transforms
from lib.nas.inheritance import inherit
from lib.nas.notation import Architecture, parse
from lib.nas.search import search
from lib.nas.settings import Budget, Result, Settings
from lib.nas.training import Data, Recipe, predict
from lib.nas.transforms import Space
from lib.reported import nas as reported

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
    test : images and labels, looked at once a final model; part of the test set in small profiles.
    everything, whole_test : all other images, for a final training without choices, and the whole test set.
    classes : names in label order.
    source : one line for captions.
    """

    data: Data
    test: tuple[np.ndarray, np.ndarray]
    everything: Data
    whole_test: tuple[np.ndarray, np.ndarray]
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
    train, validation = splits.sample(rest.labels, (profile.nas_train, profile.nas_validation), seed)
    (tested,) = splits.sample(test.labels, (profile.nas_test,), seed)
    source = f"{rest.source}: {len(train)} training, {len(validation)} validation, {len(tested)} test images"
    task = _task(rest.select(train), rest.select(validation), test, rest, source)
    return replace(task, test=(test.images[tested], test.labels[tested]))


def mammogram_task(profile: Profile, seed: int) -> Task:
    """The mammograms that the profile asks for, split by case or patient.

    KAU-BCMD is split 85:10:5 as in the paper, in three classes as its last layer has.  mini-MIAS is
    too small for a validation part of 5 %: 70:15:15.  Phantoms stand in for mammograms where there
    are no files; they show nothing.
    """
    kind = check_choice("nas_mammograms", profile.nas_mammograms, MAMMOGRAMS)
    if kind == "at hand":
        kind = "kau-bcmd" if paths.find_data("kau-bcmd") else "mini-mias"
    if kind == "kau-bcmd":
        images, shares = mammograms.kau_bcmd(classes="three"), (0.85, 0.05)
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


def train_printed(run: Run, task: Task, tables: Sequence[str], mammograms: bool = False) -> pd.DataFrame:
    """Networks of the paper trained as they are printed, those of ``tables`` that the profile asks for.

    Returns
    -------
    Index: the name in :mod:`lib.reported.nas`.  ``parameters``, ``epochs``, ``seconds`` and the
    scores of :func:`lib.nas.final.scores` on the test images.
    """
    wanted = set(tables) & set(run.profile.nas_direct.split())
    printed, rows = reported.architectures(), {}
    for name, table in reported.results().table.items():
        if table in wanted and name.startswith("KAU") == mammograms:
            architecture = with_classes(parse(printed.text[name]), len(task.classes))
            trained = final.train_and_test(architecture, task.data, task.test, recipe(run.profile), run.seed, run.cache)
            rows[name] = {"parameters": trained.parameters, "epochs": trained.epochs, "seconds": trained.seconds}
            rows[name] |= trained.scores()
    return pd.DataFrame(rows).T


def train_compact(run: Run, task: Task) -> tuple[Architecture, final.Final]:
    """The compact model of the improved space, trained on everything that is not test data."""
    architecture = parse(COMPACT.format(classes=len(task.classes)))
    return architecture, final.train_and_test(
        architecture, task.everything, task.whole_test, final_recipe(run.profile), run.seed, run.cache
    )


def compact_table(trained: final.Final) -> pd.DataFrame:
    """The compact model's test scores, followed by what is printed for MNIST in the paper and elsewhere."""
    scores = {**trained.scores(), "parameters": trained.parameters, "epochs": trained.epochs}
    rows = reported.results()[["table", "accuracy", "parameters"]]
    rows = rows[rows.table.isin(["III", "IV"])].drop(columns="table")
    elsewhere = reported.literature().drop(columns="source")
    printed = pd.concat([rows.rename(index="reported: {}".format), elsewhere.rename(index="elsewhere: {}".format)])
    return _whole_numbers(pd.concat([pd.DataFrame({"compact": scores}).T, printed]).astype(float))


def beside(found: pd.DataFrame, printed: dict[str, str] | None = None) -> pd.DataFrame:
    """Scores with what the paper prints in front.

    Parameters
    ----------
    found : rows with ``accuracy``, ``low``, ``high``, ``majority``, ``balanced``, ``macro_f1``,
        ``loss``, ``parameters``, ``seconds``.
    printed : for each row the name in :mod:`lib.reported.nas`; without it the rows' own names.
    """
    names = [(printed or {}).get(name, name) for name in found.index]
    results = reported.results().reindex(names).set_axis(found.index)
    columns = ("accuracy", "loss", "parameters", "seconds")
    front = pd.DataFrame({f"{name} reported": results[name].astype(float) for name in columns})
    wanted = ("accuracy", "low", "high", "majority", "balanced", "macro_f1", "loss", "parameters", "epochs", "seconds")
    return _whole_numbers(front.join(found[[name for name in wanted if name in found]].astype(float)))


def test_winners(task: Task, results: dict[str, Result]) -> pd.DataFrame:
    """The winner of every search, scored on the test images: the only time that they are looked at.

    Returns
    -------
    One row a search: ``models`` trained, ``seconds`` of training together, ``parameters``,
    ``validation`` accuracy that chose it, the test scores, and ``winner`` (text).
    """
    rows = {}
    for name, result in results.items():
        row = result.frame.set_index("hash").loc[result.best]
        rows[name] = {
            "models": int((result.frame.status == "ok").sum()),
            "seconds": result.frame.seconds.sum(),
            "parameters": int(row.parameters),
            "validation": row.accuracy,
            **final.test_once(result.architecture(), result.weights(), task.test),
            "winner": row.text,
        }
    return pd.DataFrame(rows).T


def check_inheritance(space: Space, seed: int, input_shape: tuple[int, int, int] = (12, 12, 1)) -> pd.DataFrame:
    """How far each transformation's child, with inherited weights, is from its parent before training.

    Returns
    -------
    One row a transformation: ``child``, ``exact`` as promised, ``difference`` (largest of the
    probabilities for random images).
    """
    preserving = replace(space, preserving=True)
    parent = parse(space.initial)
    model = parent.build(input_shape, seed=seed)
    images = np.random.default_rng(seed).random((8, *input_shape), dtype=np.float32)
    before, rows = predict(model, images), {}
    for name in transforms.NAMES:
        child = transforms.child(parent, name, preserving, [seed], input_shape, {parent.hash})
        inherited = inherit(parent, model.get_weights(), child, input_shape, seed)
        after = predict(final.restore(child, inherited.weights, input_shape), images)
        rows[name] = {"child": str(child), "exact": inherited.exact, "difference": float(np.abs(after - before).max())}
    return pd.DataFrame(rows).T


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


def _whole_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    whole = ("images", "correct", "parameters", "epochs", "seconds", "parameters reported", "seconds reported")
    return frame.assign(**{name: frame[name].round().astype("Int64") for name in whole if name in frame})


def _task(train: ImageSet, validation: ImageSet, test: ImageSet, rest: ImageSet, source: str) -> Task:
    width = len(train.classes)
    data = Data(train.images, train.labels, validation.images, validation.labels, width)
    everything = Data(rest.images, rest.labels, rest.images[:0], rest.labels[:0], width)
    tested = (test.images, test.labels)
    return Task(data, tested, everything, tested, train.classes, source)


def _shrunk_phantoms(n: int = 60) -> ImageSet:
    images = phantoms.make(n, size=32, seed=0)
    small = images.images.reshape(n, 16, 2, 16, 2, 1).mean(axis=(2, 4), dtype=np.float32)
    pairs = np.arange(n) // 2
    return ImageSet(small, images.labels, images.names, images.classes, f"{n} phantoms at 16×16", groups=pairs)
