"""What the NAS paper prints: architectures, parameter counts, accuracies, losses, times (Tables I to VI).

Numbers are as printed; accuracies as fractions, times in seconds.  The architectures keep the
paper's notation, with blanks and semicolons as :func:`lib.nas.notation.parse` reads them.
"""

import pandas as pd

M = "C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) F() FC(10)"

MNIST_SHAPE = (28, 28, 1)
MAMMOGRAM_SHAPE = (64, 64, 1)  # never said; Table VI's count is exact for it

_ARCHITECTURES = {
    "M": ("text", M),
    "M_0": ("I", "C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) C(64,3) P(1,1) F() FC(10)"),
    "M_1": ("I", "C(64,3) P(1,1) IB(32,64,128,16,32,32) IB(32,64,128,16,32,32) P(1,1) F() FC(10)"),
    "M_2": ("I", "C(64,3) P(1,1) IB(64,64,160,16,64,64) P(1,1) F() FC(10)"),
    "M_3": ("I", "C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) Concat(1(-4),1(-5)) F() FC(10)"),
    "MNIST BbNAS": ("IV", "C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) C(64,3) C(64,3) P(1,1) F() FC(10)"),
    "MNIST SE-BbNAS": (
        "IV",
        "C(64,3) SEIB(32,64,128,16,32,32) P(1,1) SEIB(32,64,128,16,32,32) SEIB(32,64,128,16,32,32) "
        "SEIB(32,64,128,16,32,32) P(1,1) C(64,1) SEIB(32,64,128,16,32,32) P(1,1) F() FC(10)",
    ),
    "KAU-BCMD BbNAS": (
        "V",
        "C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) Concat() C(64,3) P(1,1) Concat() Concat() F() FC(3)",
    ),
    "KAU-BCMD SE-BbNAS": (
        "V",
        "C(64,3) P(1,1) SEIB(32,64,128,16,32,32) P(1,1) C(64,3) P(1,1) SEIB(32,64,128,16,32,32) P(1,1) F() FC(3)",
    ),
    "KAU-BCMD SE swapped for IB": (
        "VI",
        "C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) C(64,3) P(1,1) IB(32,64,128,16,32,32) P(1,1) F() FC(3)",
    ),
}

_RESULTS = {
    # table, accuracy, loss, parameters, epochs, seconds
    "M": ("II", 0.9861, 0.069, None, 7, 161.07),
    "M_0": ("III", 0.9843, 0.0851, 543_738, 10, 232.03),
    "M_1": ("III", 0.9865, 0.0708, 1_730_026, 5, 185.22),
    "M_2": ("III", 0.9842, 0.0831, 2_104_858, 5, 127.22),
    "M_3": ("III", 0.9868, 0.0741, 3_125_178, 4, 102.49),
    "MNIST BbNAS": ("IV", 0.9860, None, 572_474, None, 0.83 * 3600),
    "MNIST SE-BbNAS": ("IV", 0.9919, None, 2_342_282, None, 2.48 * 3600),
    "KAU-BCMD BbNAS": ("V", 0.8425, 0.0851, 543_738, 4, 12 * 3600),
    "KAU-BCMD SE-BbNAS": ("V", 0.9843, 0.31, 2_428_403, 2, 12 * 3600),
    "KAU-BCMD SE swapped for IB": ("VI", 0.8267, 0.35, 2_741_027, None, None),
}


def architectures() -> pd.DataFrame:
    """Every printed architecture: index is its name here; ``table``, ``text``, ``height``, ``width``, ``channels``.

    The input size is not printed; it is what the counts prove (28×28×1 for MNIST, 64×64×1 for KAU-BCMD).
    """
    rows = {}
    for name, (table, text) in _ARCHITECTURES.items():
        shape = MAMMOGRAM_SHAPE if name.startswith("KAU") else MNIST_SHAPE
        rows[name] = {"table": table, "text": text, "height": shape[0], "width": shape[1], "channels": shape[2]}
    return pd.DataFrame(rows).T.astype({"height": int, "width": int, "channels": int})


def results() -> pd.DataFrame:
    """Every printed result: ``table``, ``accuracy``, ``loss``, ``parameters``, ``epochs``, ``seconds``.

    For M and its children seconds are the training's, for the others the whole search's.
    """
    columns = ["table", "accuracy", "loss", "parameters", "epochs", "seconds"]
    frame = pd.DataFrame.from_dict(_RESULTS, orient="index", columns=columns)
    whole = {"parameters": "Int64", "epochs": "Int64"}
    return frame.astype({"accuracy": float, "loss": float, "seconds": float, **whole})


def calls() -> pd.DataFrame:
    """Table I: the transformation that makes each child of M, as printed, and the child."""
    printed = {"M_0": "Add_Layer(M)", "M_1": "Add_Block(M)", "M_2": "Widen(M, 3, 32)", "M_3": "Concat(M, -4)"}
    return pd.DataFrame({"call": printed, "text": {name: _ARCHITECTURES[name][1] for name in printed}})


def literature() -> pd.DataFrame:
    """MNIST test accuracies of small single networks elsewhere: ``parameters``, ``accuracy``, ``source``."""
    rows = {
        "An et al. 2020": (1_500_000, 0.9983, "arXiv:2001.09136"),
        "173 k parameters": (173_000, 0.9960, "PMC8290018"),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["parameters", "accuracy", "source"])
