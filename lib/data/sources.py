"""Data sets by description, as jobs name them: read where the job runs, and known by the content of their files."""

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

from lib.core import paths, raw
from lib.core.config import Profile, check_choice
from lib.data import bus_uclm, busi, curated_busi, digits, mammograms, phantoms
from lib.data.record import ImageSet


class Source:
    """A data set's name and how it is read; subclasses are frozen dataclasses with a ``read``."""

    folder = ""  # of the raw files, below the data folders; empty for data that are made

    def describe(self) -> dict[str, Any]:
        """What stands for the images in keys: the files' content and the settings that differ from the default."""
        changed = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}
        files = {"files": raw.identity(self.folder)} if self.folder else {}
        return {"source": type(self).__name__.lower(), **files, **changed}

    def load(self) -> ImageSet:
        """The images, read once a process; where their files are absent, a download or an error that names the cure."""
        return _load(self, str(self.describe()))

    def table(self) -> ImageSet:
        """Labels, names, sizes, numbers of masks and groups without images, which need not be at hand."""
        return replace(self.load(), images=None, masks=None)

    def open(self) -> ImageSet:
        """The images where they are at hand, else their table: its ``images`` are None, and pictures are left out."""
        return self.load() if not self.folder or paths.find_data(self.folder) else self.table()

    def read(self) -> ImageSet:
        raise TypeError(f"{type(self).__name__} does not say how it is read")


@lru_cache(maxsize=4)
def _load(source: Source, identity: str) -> ImageSet:
    return source.read()


@dataclass(frozen=True)
class Busi(Source):
    """BUSI as :func:`lib.data.busi.load` reads it."""

    size: int = 128
    masks: str = "union"
    resize: str = "bilinear"
    folder = "busi"

    def read(self) -> ImageSet:
        return busi.load(size=self.size, masks=self.masks, resize=self.resize)

    def table(self) -> ImageSet:
        return busi.table(self.size, self.masks, self.resize)


@dataclass(frozen=True)
class Phantoms(Source):
    """Synthetic images, with ``relatives`` planted among them."""

    n: int = 160
    size: int = 64
    seed: int = 0
    relatives: int = 0

    def read(self) -> ImageSet:
        return phantoms.with_relatives(phantoms.make(self.n, self.size, self.seed), self.relatives)


@dataclass(frozen=True)
class CuratedBusi(Busi):
    """The 450 images of BUSI that Aumente-Maestro et al. 2024 kept, by their list."""

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "list": raw.identity(curated_busi.FOLDER)}

    def read(self) -> ImageSet:
        return curated_busi.select(super().read())

    def table(self) -> ImageSet:
        return curated_busi.select(super().table())


@dataclass(frozen=True)
class BusUclm(Source):
    """BUS-UCLM as :func:`lib.data.bus_uclm.load` reads it, for tests from outside only; patients are the groups."""

    size: int = 128
    folder = bus_uclm.FOLDER

    def read(self) -> ImageSet:
        return bus_uclm.load(self.size)


@dataclass(frozen=True)
class Mnist(Source):
    """MNIST's training images or its ``test`` images."""

    part: str = "train"
    folder = "mnist.npz"

    def read(self) -> ImageSet:
        return digits.mnist(self.part)


@dataclass(frozen=True)
class SmallDigits(Source):
    """Two parts of scikit-learn's digits, in the place of MNIST's."""

    part: str = "train"

    def read(self) -> ImageSet:
        return digits.small(self.part)


@dataclass(frozen=True)
class MiniMias(Source):
    """mini-MIAS as normal, benign and malignant."""

    size: int = 64
    folder = "mini-mias"

    def read(self) -> ImageSet:
        return mammograms.mini_mias(self.size)


@dataclass(frozen=True)
class KauBcmd(Source):
    """KAU-BCMD in three classes, as many as the paper's last layer has."""

    size: int = 64
    folder = "kau-bcmd"

    def read(self) -> ImageSet:
        return mammograms.kau_bcmd(self.size)


@dataclass(frozen=True)
class MammogramPhantoms(Source):
    """Stands in for mammograms where there are no files."""

    n: int = 60

    def read(self) -> ImageSet:
        return mammograms.stand_ins(self.n)


def ultrasound(profile: Profile, **changes: Any) -> Source:
    """Paper A's images, as the profile chooses: BUSI or phantoms; ``changes`` replace fields of the description.

    Phantoms have hard masks, one an image, so ``masks`` and ``resize`` change nothing there.
    """
    if check_choice("data", profile.data, ("busi", "phantoms")) == "busi":
        return Busi(**{"size": profile.image_size, **changes})
    size = changes.get("size", profile.image_size)
    return Phantoms(profile.n_phantoms, size, relatives=changes.get("relatives", 0))
