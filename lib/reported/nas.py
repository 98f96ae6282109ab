"""What paper B prints: architectures, parameter counts, accuracies, losses and times (Tables I to VI).

Benali, Bouzar-Benlabiod, McIntyre: Squeeze and Excitation Block Based Neural Architecture Search with
Randomization for CNN Construction.  Accuracies are fractions, times seconds; architectures are written as
:func:`lib.nas.notation.parse` reads them.
"""

import numpy as np

from lib.reported import read

# Every printed network by its name here.  ``text`` is printed in ``table``; ``call``: the transformation that makes it
# of M, as printed (Table I).  ``height``, ``width`` and ``channels`` of the input are not printed but what the counts
# prove (28×28×1 for MNIST, 64×64×1 for KAU-BCMD).  ``accuracy``, ``loss``, ``parameters``, ``epochs`` and ``seconds``
# are printed in the table ``results``; for M and its children seconds are of one training, for the others of the whole
# search.
NETWORKS = read("nas_networks").astype({"parameters": "Int64", "epochs": "Int64"})
M = NETWORKS.text["M"]
MNIST_SHAPE = tuple(NETWORKS.loc["M", ["height", "width", "channels"]])
PENALISED = "one reading of the weight decay"  # that it is an L2 penalty on all kernels
MAMMOGRAMS = 5662  # images, IV-A
INCEPTION_3A = (64, 96, 128, 16, 32, 32)  # of GoogLeNet's nine blocks the closest: Table 1 of Szegedy et al. (2015)
MAMMOGRAM_SHAPE = tuple(NETWORKS.loc["KAU-BCMD BbNAS", ["height", "width", "channels"]])
# Rows whose printed count does not come out: another ``text`` that gives it, its input, ``explanation``.
READINGS = read("nas_readings")


def mammogram_test_sizes(most: int, cut_off: bool = False) -> list[int]:
    """Numbers of films, 20 to ``most``, of which every accuracy of Tables V and VI is a share.

    Shares are rounded to four digits; with ``cut_off`` each may also be cut off after the fourth.
    """
    printed = (NETWORKS["accuracy"].filter(like="KAU") * 1e4).round()

    def fits(n: int) -> bool:
        shares = np.arange(n + 1) * 1e4 / n
        known = printed.isin(shares.round()) | (cut_off & printed.isin(np.floor(shares + 1e-6)))
        return bool(known.all())

    return [n for n in range(20, most + 1) if fits(n)]
