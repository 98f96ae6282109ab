import json

import pandas as pd

from lib.nas import parameter_counts
from lib.pipeline import ledger, results
from lib.plots.results import counts_and_accuracies, intervals


def test_abstract_counts_claims_and_names_every_endpoint(tmp_path):
    text = results.abstract(tmp_path, ledger.ledger(tmp_path), ledger.endpoints(tmp_path), "a note")
    assert text.startswith(f"**{len(ledger.claims())} claims of two papers")
    assert text.count(ledger.NOT_YET) == 1 + 7
    assert all(f"**P{number}" in text for number in range(1, 7))
    assert "a note" in text


def test_an_endpoint_with_a_result_is_said_with_its_interval(tmp_path):
    (tmp_path / "07_leakage").mkdir()
    index = pd.MultiIndex.from_tuples([("image+mask – image", "all")])
    row = {"difference": [0.04], "95 % low": 0.01, "95 % high": 0.07, "p": 0.004, "verdict": "reproduced"}
    pd.DataFrame(row, index).to_csv(tmp_path / "07_leakage" / "07_gain.csv")
    text = results.abstract(tmp_path, ledger.ledger(tmp_path), ledger.endpoints(tmp_path), "a note")
    assert "0.040 (0.010 to 0.070; bound 0; p = 0.004, after Holm p = 0.024): reproduced." in text
    assert "(p below 0.05, plan complete: *confirmed*) stands: P2 (reproduced)." in text
    same = {"difference": [0.0], "95 % low": 0.0, "95 % high": 0.0, "p": 1.0, "verdict": "undecided", "images": 780}
    same["note"] = "no skill"
    pd.DataFrame(same, index).to_csv(tmp_path / "07_leakage" / "07_gain.csv")
    text = results.abstract(tmp_path, ledger.ledger(tmp_path), ledger.endpoints(tmp_path), "a note")
    assert "the paper's U-Net: no skill, so that nothing is known of the difference (by the rule undecided" in text
    pd.DataFrame({**same, "note": ""}, index).to_csv(tmp_path / "07_leakage" / "07_gain.csv")
    text = results.abstract(tmp_path, ledger.ledger(tmp_path), ledger.endpoints(tmp_path), "a note")
    assert "the paper's U-Net: 0.0000 (0.0000 to 0.0000; bound 0; p = 1.000" in text
    pd.DataFrame(same, index).to_csv(tmp_path / "07_leakage" / "07_gain.csv")
    assert ledger.endpoints(tmp_path).loc["P2", ["remark", "images"]].tolist() == ["no skill", "780"]
    entries = pd.DataFrame({"verdict": ["a", "a", "a", "b"], "rests on": ["counts", "trainings", "counts", "counts"]})
    assert results.bases(entries, "a") == "3 a: 2 by counts, 1 by trainings."


def test_abstract_says_what_the_models_reach(tmp_path):
    rows = {"backbone": ["VGG16", "VGG16", "Xception"], "inputs": "image+mask", "accuracy": [0.7, 0.8, 0.81]}
    folds = {"protocol": "grouped folds", "model": ["image, VGG16", "image + mask as printed, VGG16"]}
    outside = {"inputs": ["image", "image + mask"], "images": 683, "accuracy": [0.3, 0.482], "majority class": 0.613}
    calls = {"value": [0.89, 0.6], "images": [210, 570]}
    tables = {
        "04_ablation/04_table_1_figure": rows,
        "07_leakage/07_protocols": folds | {"accuracy": [0.9, 0.7123]},
        "08_better_models/08_operating_point": calls,
        "08_better_models/08_external_classes": outside,
    }
    for name, table in tables.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pd.DataFrame(table).to_csv(tmp_path / f"{name}.csv")
    text = results.abstract(tmp_path, ledger.ledger(tmp_path), ledger.endpoints(tmp_path), "a note")
    assert "(VGG16, Xception, not DenseNet201): right in 75 to 81 % of test images" in text
    assert "(printed: 92.4 %), in 71 to 71 % under grouped folds" in text
    assert "misses 23 of 210 malignant images" in text
    assert "On 683 images of another hospital image and mask are right in 48 %" in text
    assert "commonest class alone gives 61 %" in text


def test_provenance_counts_results_by_source(tmp_path):
    machine = {"device": "CPU", "cores": 2, "keras": "3.15", "backend": "tensorflow"}
    source = {"notebook": "02_unet", "profile": {"name": "lite"}, "seed": 0, "commit": "abc", "machine": machine}
    for name, commit in (("a", "abc"), ("b", "abc"), ("c", "def")):
        (tmp_path / "02_unet").mkdir(exist_ok=True)
        (tmp_path / "02_unet" / f"{name}.json").write_text(json.dumps({**source, "commit": commit}))
    table = results.provenance(tmp_path, "09_results")
    assert table.results.tolist() == [2, 1]
    assert table.commit.tolist() == ["abc", "def"]
    assert results.provenance(tmp_path, "02_unet").empty


def test_figure_shows_what_has_an_interval():
    rows = {"number": [0.03, 0.02], "low": [0.01, None], "high": [0.05, None], "printed": [0.0507, 0.01], "claim": "x"}
    shown = results.figure_data(pd.DataFrame(rows))
    assert len(shown) == 1
    assert results.inside(shown) == "0 of 1 printed values lie in the 95 % intervals found here."
    axes = intervals(shown, "gain").axes[0]
    assert axes.get_xlabel() == "gain"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["x"]
    assert intervals(shown[:0], "gain") is None


def test_paper_b_has_a_row_for_every_network_and_says_what_is_not_trained(tmp_path):
    assert results.paper_b(tmp_path, ledger.ledger(tmp_path)).empty
    assert counts_and_accuracies(pd.DataFrame()) is None
    (tmp_path / "06_nas").mkdir()
    parameter_counts.counts().to_csv(tmp_path / "06_nas" / "06_parameter_counts.csv")
    score = {"accuracy": [0.985], "accuracy low": 0.98, "accuracy high": 0.99, "accuracy printed": 0.9861}
    pd.DataFrame(score, ["M"]).to_csv(tmp_path / "06_nas" / "06_printed_networks.csv")
    table = results.paper_b(tmp_path, ledger.ledger(tmp_path))
    assert table.printed.notna().all()
    assert table.number.dropna().to_dict() == {"M": 0.985}
    said = results.paper_b_in_words(table)
    assert "Of 9 printed parameter counts 4 are met to the digit, 3 are explained" in said
    assert "2 are not. " in said
    assert "1 of 10 networks are trained here on the data of the printed accuracy. 1 of 1 printed values lie" in said
    counts, accuracies = counts_and_accuracies(table).axes
    assert [len(line.get_xdata()) for line in counts.lines] == [4, 3, 2, 1, 10]
    notes = [text.get_text() for text in accuracies.texts]
    assert notes.count("not tested yet") == 6
    assert notes.count("not testable here") == 3
