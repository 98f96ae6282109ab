import numpy as np
import pandas as pd
import pytest

from lib.core import paths
from lib.evaluation import statistics
from lib.pipeline import ledger
from lib.reported import arithmetic, nas, two_stage

RULES = {"difference", "value", "values", "arithmetic", "qualitative", "not testable"}
PAPERS = {"A": "two_stage_breast_ultrasound.txt", "B": "se_block_nas.txt"}
CLAIMS = ledger.claims()


def _save(folder, table, frame):
    path = folder / f"{table}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path)


def test_every_claim_is_whole():
    assert CLAIMS.index.is_unique
    assert set(CLAIMS.rule) <= RULES
    assert set(CLAIMS.paper) == set(PAPERS)
    assert (CLAIMS[["place", "claim"]] != "").all(axis=None)
    without_table = CLAIMS[CLAIMS.table == ""]
    assert set(without_table.rule) == {"arithmetic", "not testable"}
    assert (CLAIMS[CLAIMS.rule == "not testable"].reason != "").all()
    assert (CLAIMS[CLAIMS.rule == "value"].value != "").all()
    assert (CLAIMS.value[CLAIMS.rule == "qualitative"] != "").all()
    computed = without_table[without_table.rule == "arithmetic"].index
    assert set(computed) == set(arithmetic.checks())


@pytest.mark.parametrize("paper", PAPERS)
def test_every_printed_value_stands_in_the_paper(paper):
    file = paths.ROOT.parent / "shared" / "papers" / PAPERS[paper]
    if not file.exists():
        pytest.skip(f"the paper's text is not on this machine: {file}")
    text = " ".join(file.read_text().replace("\\ ", " ").split())
    printed = CLAIMS.printed[CLAIMS.paper == paper]
    assert [value for value in printed if value and value not in text] == []


def test_claims_are_what_the_data_files_hold():
    one, two = two_stage.table_i(), two_stage.table_ii()
    for row, scores in enumerate(one.index, 1):
        assert float(CLAIMS.value[f"A-table-1-{row}"]) == one.accuracy[scores]
    for name in two.index.drop(["Ours", "DenseNet201"]):
        assert float(CLAIMS.value[f"A-table-2-{name}"]) == two.accuracy[name]
    for name, row in nas.NETWORKS.iterrows():
        assert float(CLAIMS.value[f"B-{name.replace(' ', '-')}-accuracy"]) == pytest.approx(row.accuracy)


def test_without_tables_nothing_is_tested_but_the_printed_numbers(tmp_path):
    entries = ledger.ledger(tmp_path)
    decided = entries[~entries.verdict.isin([ledger.NOT_YET, statistics.NOT_TESTABLE])]
    assert set(decided.index) == set(arithmetic.checks())
    assert ledger.counts(entries).both.sum() == len(CLAIMS)
    endpoints = ledger.endpoints(tmp_path)
    assert (endpoints.verdict == ledger.NOT_YET).all()
    assert endpoints["p Holm"].dropna().tolist() == [1] * 6


def test_verdicts_follow_the_tables(tmp_path):
    """A difference, values of one row of Table I, a row that is absent, and a count, each from a saved table."""
    pairs = pd.MultiIndex.from_tuples([("image+mask – image", "all"), ("mask – image", "all")])
    limits = {"difference": [0.02, -0.01], "95 % low": [0.01, -0.03], "95 % high": [0.06, 0.012], "p": [0.004, 0.6]}
    limits["rounds"] = 9
    _save(tmp_path, CLAIMS.table["A-gain"], pd.DataFrame(limits, pairs))
    scores = pd.MultiIndex.from_tuples(
        [("image", "VGG16", name) for name in ("accuracy", "recall benign", "f1 benign")]
    )
    cells = {"paper": [0.7468, 0.6818, 0.7595], "here": 0.8, "95 % low": [0.75, 0.6, 0.7], "95 % high": 0.9}
    _save(tmp_path, CLAIMS.table["A-table-2-VGG16"], pd.DataFrame(cells, scores))
    entries = ledger.ledger(tmp_path)
    assert entries.loc["A-gain", ["here", "95 % interval", "verdict"]].tolist() == [
        "+2.00 points",
        "+1.00 to +6.00 points",
        statistics.REPRODUCED,
    ]
    assert entries.remark["A-gain"] == "9 of 10 rounds"
    assert entries.verdict["A-gain-mask"] == statistics.NOT_REPRODUCED
    assert entries.verdict["A-gain-both"] == ledger.NOT_YET
    assert entries.loc["A-table-2-VGG16", ["here", "verdict"]].tolist() == ["0.8000", statistics.NOT_REPRODUCED]
    assert entries.loc["A-table-2-VGG16-classes", ["here", "verdict"]].tolist() == [
        "2 of 2 inside",
        statistics.REPRODUCED,
    ]
    assert entries.verdict["A-table-2-ResNet152"] == statistics.NOT_TESTABLE
    assert entries.reason["A-table-2-ResNet152"]
    endpoint = ledger.endpoints(tmp_path).loc["P1"]
    assert endpoint[["verdict", "confirmed"]].tolist() == ["reproduced (interim)", "no"]
    assert endpoint["p Holm"] == pytest.approx(6 * 0.004)


@pytest.mark.parametrize(("rounds", "word"), [(10, statistics.REPRODUCED), (7, "reproduced (interim)")])
def test_a_primary_endpoint_is_interim_until_its_plan_is_complete(tmp_path, rounds, word):
    backbones = ("all", "VGG16", "Xception", "MobileNetV2")
    pairs = pd.MultiIndex.from_product([["image+mask – image"], backbones])
    row = {"difference": 0.04, "95 % low": 0.01, "95 % high": 0.06, "p": 0.004, "rounds": [10, 10, 10, rounds]}
    _save(tmp_path, CLAIMS.table["A-gain"], pd.DataFrame(row, pairs))
    assert ledger.endpoints(tmp_path).loc["P1", ["verdict", "confirmed"]].tolist() == [
        word,
        "yes" if rounds == 10 else "no",
    ]


def test_a_table_may_call_its_verdict_interim(tmp_path):
    row = {"accuracy": 0.82, "95 % low": 0.81, "95 % high": 0.84, "p": 0.004, "verdict": ["interim: reached"]}
    _save(tmp_path, "08_better_models/08_ensemble", pd.DataFrame(row, ["ensemble"]))
    assert ledger.endpoints(tmp_path).verdict["P3"] == "reached (interim)"


def test_counts_and_orders(tmp_path):
    parameters = CLAIMS[(CLAIMS.rule == "arithmetic") & (CLAIMS.table != "")]
    computed = pd.DataFrame({"computed": parameters.value.astype(int).to_numpy()}, parameters.row)
    computed.iloc[0] += 1
    _save(tmp_path, parameters.table.iloc[0], computed)
    order = CLAIMS.loc["A-time-order"]
    first, second = order.row.split(" > ")
    _save(tmp_path, order.table, pd.DataFrame({order.column: [12.0, np.nan]}, [first, second]))
    verdicts = ledger.ledger(tmp_path).verdict
    assert verdicts[parameters.index].tolist() == [statistics.CONTRADICTED] + [statistics.REPRODUCED] * 8
    _save(tmp_path, order.table, pd.DataFrame({order.column: [12.0, 4.0]}, [first, second]))
    entries = ledger.ledger(tmp_path)
    assert entries.loc["A-time-order", "here"] == "3.000"


def test_a_verdict_rests_on_trainings_on_counts_or_on_printed_numbers_alone(tmp_path):
    bases = ledger.ledger(tmp_path)["rests on"]
    assert (bases[bases.index.str.startswith("A-data-")] == "counts of images and parameters").all()
    assert bases["A-split"] == "the printed numbers alone"
    assert bases["A-loss"] == bases["A-never"] == "trainings"
