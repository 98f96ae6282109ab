"""What paper B prints: architectures, parameter counts, accuracies, losses and times (Tables I to VI).

Benali, Bouzar-Benlabiod, McIntyre: Squeeze and Excitation Block Based Neural Architecture Search with
Randomization for CNN Construction.  Accuracies are fractions, times seconds; architectures are written as
:func:`lib.nas.notation.parse` reads them.
"""

import numpy as np
import pandas as pd

from lib.reported import read

_NETWORKS = read("nas_networks").astype({"parameters": "Int64", "epochs": "Int64"})
M = _NETWORKS.text["M"]
MNIST_SHAPE = tuple(_NETWORKS.loc["M", ["height", "width", "channels"]])
MAMMOGRAMS = 5662  # images, IV-A
MAMMOGRAM_SHAPE = tuple(_NETWORKS.loc["KAU-BCMD BbNAS", ["height", "width", "channels"]])


def architectures() -> pd.DataFrame:
    """Every printed architecture by its name here: ``table``, ``text``, ``height``, ``width``, ``channels``.

    The input size is not printed; it is what the counts prove (28×28×1 for MNIST, 64×64×1 for KAU-BCMD).
    """
    return _NETWORKS[["table", "text", "height", "width", "channels"]]


def results() -> pd.DataFrame:
    """Every printed result: ``table``, ``accuracy``, ``loss``, ``parameters``, ``epochs``, ``seconds``.

    For M and its children seconds are of one training, for the others of the whole search.
    """
    columns = ["results", "accuracy", "loss", "parameters", "epochs", "seconds"]
    return _NETWORKS[columns].rename(columns={"results": "table"})


def calls() -> pd.DataFrame:
    """Table I: the transformation that makes each child of M, as printed (``call``), and the child (``text``)."""
    return _NETWORKS.loc[_NETWORKS.call.notna(), ["call", "text"]]


def readings() -> pd.DataFrame:
    """Rows whose printed count does not come out: another ``text`` that gives it, its input, ``explanation``."""
    return read("nas_readings")


def literature() -> pd.DataFrame:
    """MNIST test accuracies of small single networks elsewhere: ``parameters``, ``accuracy``, ``source``."""
    return read("elsewhere_mnist")


def mammogram_test_sizes(most: int) -> list[int]:
    """Numbers of films, 20 to ``most``, of which every accuracy of Tables V and VI is a share.

    Shares are rounded to four digits, or cut off after the fourth.
    """
    printed = (results()["accuracy"].filter(like="KAU") * 1e4).round()

    def fits(n: int) -> bool:
        shares = np.arange(n + 1) * 1e4 / n
        known = np.union1d(shares.round(), np.floor(shares + 1e-6))
        return bool(printed.isin(known).all())

    return [n for n in range(20, most + 1) if fits(n)]
