"""The README: its commands exist, and its findings and the model card's are the published ones.

``python tests/unit/pipeline/test_readme.py`` writes the findings anew, after results were published.
"""

import json
import re

import pandas as pd
import pytest

from lib import predict
from lib.core import config, paths, words
from lib.nas.experiments import SMALL
from lib.pipeline import driver, evidence, publication
from lib.reported import two_stage as reported

README = (paths.ROOT / "README.md").read_text(encoding="utf-8")
MADE = re.compile(r"(?<=test_readme.py -->\n).*?(?=<!-- end)", re.DOTALL)


def _published(notebook, name, levels=1):
    return pd.read_csv(publication.FIGURES / notebook / f"{name}.csv", index_col=list(range(levels)))


def _points(row, digits=1):
    """A difference in accuracy with its interval, in percentage points."""
    numbers = [f"{100 * row[name]:+.{digits}f}".replace("-", "−") for name in ("here", "95 % low", "95 % high")]
    return "{} ({} to {})".format(*numbers)


def _auc(row):
    return f"{row['AUC malignant']:.2f} ({row['AUC malignant low']:.2f} to {row['AUC malignant high']:.2f})"


def _span(shares, digits=0):
    return f"{100 * shares.min():.{digits}f} to {100 * shares.max():.{digits}f} %"


def _share(row):
    """An accuracy with its interval, in percent."""
    return f"{100 * row.accuracy:.0f} % ({100 * row['accuracy low']:.0f} to {100 * row['accuracy high']:.0f} %)"


def _over_partitions(endpoint, form, before, factor=1, unit=""):
    """An endpoint over all partitions of the folds that are done, where there are two or more."""
    table = _published("08_better_models", "08_partitions")
    if endpoint not in table.index:
        return ""
    row = table.loc[endpoint]
    here, low, high = (words.number(factor * row[name], form) for name in ("all", "95 % low", "95 % high"))
    done, planned = row.filter(like="partition ").count(), config.get("lite").n_partitions
    return f"{before} {done} of {planned} partitions of the folds {here}{unit} ({low} to {high}{unit})"


def findings():
    """Three questions, each with a few answers from published tables."""
    endpoints = _published("09_results", "09_endpoints")
    p2, p3, p4 = (
        row.rename({"95 % low": "low", "95 % high": "high"}) for _, row in endpoints.loc["P2":"P4"].iterrows()
    )
    outside = _published("08_better_models", "08_external_classes", 2).loc["all images"]
    grouped = _published("07_leakage", "07_protocols", 2).loc["grouped folds", "accuracy"]
    rounds = _published("04_ablation", "04_table_1_figure")
    rounds = rounds.groupby(["inputs", "backbone"]).accuracy.mean()
    printed = reported.table_i().accuracy
    gain = _published("09_results", "09_paper_a")["printed"].iloc[0]
    leak = _published("07_leakage", "07_leak").iloc[0]
    counts = _published("06_nas", "06_parameter_counts")["verdict"].value_counts()
    trained = _published("06_nas", "06_printed_networks").dropna(subset="accuracy")
    note = _published("06_nas", "06_se_difference").fillna("").iloc[0].get("note", "")
    plain, se = trained.drop("MNIST SE-BbNAS", errors="ignore"), trained.reindex(["MNIST SE-BbNAS"]).iloc[0]
    of_se = f"; SE-BbNAS in {100 * se.accuracy:.1f} % (printed: {100 * se['accuracy printed']:.1f} %)"
    of_se = (
        of_se + (f": {note.partition(';')[0].replace('SE-BbNAS', 'it')}" if "answer" in note else "")
        if len(plain) < len(trained)
        else ""
    )
    wrong = counts["explained"] + counts["open"]
    small = _published("06_nas", "06_small_networks", 2).loc["here"].iloc[0]
    search = _points(endpoints.loc["P6"], 2)
    verdicts, of_a = (_published("09_results", "09_verdicts")[name] for name in ("both", "paper A"))
    others = verdicts["contradicted by arithmetic"] - wrong
    of_a = of_a["contradicted by arithmetic"] or "none"
    over = _over_partitions("accuracy gained by masks as printed", "+.1f", "; over", 100)
    inputs = outside.loc[["image", "image + mask"]]
    balanced = " and ".join(f"{100 * one:.0f} %" for one in inputs["balanced accuracy"])
    return _questions(
        {
            "Does the predicted mask help?": [
                f"With the paper's split rule it changes the accuracy by {_points(endpoints.loc['P1'])} percentage "
                "points, mean of three backbones, none of them the paper's DenseNet201; the paper prints "
                f"{100 * gain:+.1f}. Verdict: {endpoints.verdict['P1']}.",
                f"With related images kept together: {_points(endpoints.loc['P2'])}{over}, for which the paper prints "
                f"nothing. Verdict: {endpoints.verdict['P2']}; the printed gain lies "
                f"{'inside' if p2.low <= gain <= p2.high else 'outside'}.",
            ],
            "Is the printed accuracy that of new patients?": [
                f"With the paper's split rule {100 * leak.share:.0f} % of the test images have a related image in "
                f"training, and the image alone reaches {_span(rounds['image'])} here (printed: "
                f"{100 * printed['image']:.1f} %), with its mask {_span(rounds['image+mask'])} (printed: "
                f"{100 * printed['image+mask']:.1f} %).",
                f"With related images kept together, and fewer to train on, both reach {_span(grouped)}. The ensemble "
                f"of the protocol reaches {100 * p3.here:.1f} % there ({100 * p3.low:.1f} to {100 * p3.high:.1f} %; "
                f"bound {100 * p3.bound:.0f} %: {p3.verdict}"
                f"{_over_partitions('accuracy of the ensemble', '.1f', '; over', 100, ' %')}).",
                f"Lesion masks of a U-Net with ImageNet encoder have a Dice of {p4.here:.2f} there ({p4.low:.2f} to "
                f"{p4.high:.2f}; bound {p4.bound}: {p4.verdict}"
                f"{_over_partitions('lesion Dice of the single network', '.2f', '; over')}).",
                f"On {inputs.images.iloc[0]:.0f} images of another hospital (BUS-UCLM) heads on VGG16 are right in "
                f"{_share(inputs.loc['image'])} on the image alone and {_share(inputs.loc['image + mask'])} with masks "
                "of such a U-Net, where the commonest class alone gives "
                f"{100 * inputs['majority class'].iloc[0]:.0f} %; their balanced accuracy is {balanced} "
                f"(guessing: 33 %), their AUC for malignant {_auc(inputs.loc['image'])} and "
                f"{_auc(inputs.loc['image + mask'])}.",
            ],
            "Do paper B's numbers agree, and does its search beat chance?": [
                f"Of its parameter counts {counts['match']} are obtained exactly, {counts['explained']} only with "
                f"another reading or another network of the paper and {counts['open']} not at all. These {wrong}, and "
                f"{others} more claims, are contradicted by what the papers or their sources print ({of_a} of paper "
                "A); some share one cause.",
                "Trained here as printed, the weight decay read as an L2 penalty, once each, "
                f"{len(plain)} of its networks for MNIST are right in "
                f"{_span(plain.accuracy, 1)} (printed: {_span(plain['accuracy printed'], 1)}){of_se}. On mini-MIAS, "
                f"with SE blocks and without, {endpoints.remark['P5'] or endpoints.verdict['P5']}.",
                f"Its search, here in a space of faster networks, against random search at the same cost: {search} "
                f"percentage points on MNIST. Verdict: {endpoints.verdict['P6']}. The best network below {SMALL:,} "
                "parameters that the searches found, trained longer on images that are shifted, turned and scaled, is "
                f"right in {100 * small.accuracy:.2f} % ({100 * small.low:.2f} to {100 * small.high:.2f} %), with "
                f"{small.parameters:,.0f} parameters.",
            ],
        }
    )


def _questions(answers):
    """A numbered list of questions, the answers to each below it."""
    lines = []
    for number, (question, points) in enumerate(answers.items(), 1):
        lines += [f"{number}. **{question}**", *(f"   - {point}" for point in points)]
    return "\n".join(lines) + "\n"


def small_model():
    """The figures of the small model, from ``report/model/about.json``."""
    about = json.loads((publication.REPORT / "model" / "about.json").read_text(encoding="utf-8"))
    right, dice = about["accuracy"], about["lesion Dice"]
    small = "small model of report/model"
    outside = _published("08_better_models", "08_external_classes", 2).loc["all images", small]
    masks = _published("08_better_models", "08_external_masks", 2).loc[f"all images, {small}", "lesions"]
    rows = {
        "accuracy": f"{right['right']} of {right['images']} images right: {right['right'] / right['images']:.3f} "
        f"(Wilson's 95 % interval {right['95 % low']:.3f} to {right['95 % high']:.3f}, as if images were unrelated)",
        "lesion Dice": f"{dice['mean']:.3f}, mean of {dice['images']} images with a lesion",
        "expected calibration error": f"{about['expected calibration error']:.3f}, after temperature scaling",
        "answers that half precision changes": f"{about['answers that half precision changes']} of {right['images']}; "
        "the figures above are those of the file",
        f"accuracy on {outside.images:.0f} images of another hospital (BUS-UCLM), over patients": f"{_share(outside)}; "
        f"the commonest class alone: {100 * outside['majority class']:.0f} %",
        "balanced accuracy there": f"{outside['balanced accuracy']:.2f} ({outside['balanced accuracy low']:.2f} to "
        f"{outside['balanced accuracy high']:.2f}); guessing: 0.33",
        "AUC for malignant there": _auc(outside),
        "expected calibration error there": f"{outside.ECE:.2f}",
        "lesion Dice there": f"{masks.Dice:.2f} ({masks['95 % low']:.2f} to {masks['95 % high']:.2f})",
        **{
            f"share of images far from the training images: {name}": f"{100 * share:.0f} %"
            for name, share in about["far from the training images"].items()
        },
    }
    lines = ["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join(lines) + "\n"


MAKERS = {paths.ROOT / "README.md": findings, publication.REPORT / "model_card.md": small_model}


@pytest.mark.parametrize("file", MAKERS, ids=lambda file: file.name)
def test_documents_tell_the_published_findings(file):
    text = file.read_text(encoding="utf-8")
    assert MADE.search(text)[0] == MAKERS[file](), "python tests/unit/pipeline/test_readme.py writes them anew"


def test_readme_lists_the_notebooks_that_there_are():
    there = sorted(path.stem for path in (paths.ROOT / "notebooks").glob("[0-9]*.py"))
    assert re.findall(r"^\| `(\d\d_\w+)` \|", README, re.MULTILINE) == there


def test_readme_names_commands_and_options_that_there_are():
    commands = re.findall(r"^\./run_all\.sh(?: (\w+))?", README, re.MULTILINE)
    assert {name or "smoke" for name in commands} <= {*config.names(), "evidence"}
    helps = [module._parser().format_help() for module in (driver, evidence, predict)]
    known = re.findall(r"--[a-z]+", " ".join(helps))
    named = re.findall(r"(?:run_all|`)[^`\n]*?(--[a-z]+)", re.sub(r"pip install[^`]*", "", README))
    assert len(named) >= 5
    assert [option for option in named if option not in known] == []


if __name__ == "__main__":
    for file, make in MAKERS.items():
        file.write_text(MADE.sub(lambda _, make=make: make(), file.read_text(encoding="utf-8")), encoding="utf-8")
