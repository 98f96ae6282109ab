"""Claims that the printed numbers themselves bear out or exclude, whatever is trained."""

import math

import pandas as pd

from lib.reported import nas, two_stage

N_TEST = 79  # test images of paper A: a tenth of 780, with the shares of the classes
N_TEST_MAMMOGRAMS = range(560, 573)  # of paper B: a tenth of 5,662, cut as a whole or class by class
CLASSES = ("normal", "benign", "malignant")
TESTED = (14, 44, 21)  # of these 79 test images, with the shares of the classes


def checks() -> dict[str, tuple[bool, str]]:
    """For each claim of rule "arithmetic" without a table: whether it holds, and what was computed."""
    return _two_stage() | _nas()


def is_share(value: float, n: int) -> bool:
    """Whether some whole number of ``n`` is ``value`` when rounded to four digits."""
    return abs(round(value * n) / n - value) < 5.01e-5


def _two_stage() -> dict[str, tuple[bool, str]]:
    one, two = two_stage.table_i(), two_stage.table_ii()
    scores = pd.concat([one, two])
    gain = one.accuracy["image+mask"] - one.accuracy["image"]
    misses = sum(
        ((2 * p * r / (p + r) - f).abs() > 1.5e-4).sum()
        for p, r, f in ((scores[f"{what} {name}"] for what in ("precision", "recall", "f1")) for name in CLASSES)
    )
    columns = [name for name in two if name != "recall benign"]
    least = two.loc["Ours", columns] - two.drop("Ours")[columns].max()
    highest, tied = (least >= 0).sum(), (least == 0).sum()
    shares = sum(is_share(value, N_TEST) for value in scores.accuracy)
    recalls = [is_share(r, n) for name, n in zip(CLASSES, TESTED, strict=True) for r in scores[f"recall {name}"]]
    return {
        "A-proportions": (all(recalls), f"{sum(recalls)} of {len(recalls)}"),
        "A-split": (shares == len(scores), f"{shares} of {len(scores)}"),
        "A-gain-sum": (math.isclose(gain, 0.0507, abs_tol=5e-5), f"{100 * gain:.2f} %"),
        "A-best": (highest == len(columns), f"{highest} of {len(columns)} columns, {tied} of them tied"),
        "A-f1": (misses == 0, f"{3 * len(scores) - misses} of {3 * len(scores)}"),
    }


def _nas() -> dict[str, tuple[bool, str]]:
    net = nas.NETWORKS
    children, mammograms = net[net.results == "III"], net[net.index.str.startswith("KAU")]
    bb, se, plain = (row for _, row in mammograms.iterrows())
    text = se.text.split()
    best, smallest = children.accuracy.idxmax(), children.parameters.idxmin()
    convolutions, blocks = (sum(layer.startswith(kind) for layer in text) for kind in ("C(", "SEIB("))
    counts = net.parameters[["MNIST SE-BbNAS", "MNIST BbNAS"]].tolist()
    gain, drop = se.accuracy - bb.accuracy, se.accuracy - plain.accuracy
    hours = (net.seconds[["MNIST SE-BbNAS", "MNIST BbNAS"]] / 3600).tolist()
    closest = f"IB{nas.INCEPTION_3A}"
    found = {
        "B-epochs-text": (net.epochs["M"] == 6, f"{net.epochs['M']} in Table II"),
        "B-best-child": (best == "M_1", f"{best}: {100 * children.accuracy[best]:.2f} %"),
        "B-smallest-child": (smallest == "M_0", f"{smallest}: {children.parameters[smallest]:,}"),
        "B-se-larger": (counts[0] > counts[1], f"{counts[0]:,} and {counts[1]:,}"),
        "B-kau-gain": (round(gain, 2) == 0.14, f"{100 * gain:+.2f} points"),
        "B-se-drop": (round(drop, 2) == 0.16, f"{100 * drop:.2f} points"),
        "B-kau-images": (nas.MAMMOGRAMS == 1416 * 4, f"{1416 * 4:,}"),
        "B-block-widths": (closest.replace(" ", "") in nas.M, closest),
        "B-se-slower": (hours[0] > hours[1], "{:.2f} and {:.2f} hours".format(*hours)),
        "B-se-fewer": (se.parameters > plain.parameters, f"{plain.parameters:,} with plain blocks"),
        "B-two-blocks": ((convolutions, blocks) == (2, 2), f"{convolutions} and {blocks}"),
    }
    most = max(sum(is_share(one, n) for one in mammograms.accuracy) for n in N_TEST_MAMMOGRAMS)
    found["B-kau-shares"] = (most == len(mammograms), f"at most {most} of {len(mammograms)} for any")
    return found
