import pandas as pd

from lib.experiments import clinical_use


def test_missed_images_are_of_those_that_were_tested():
    row = {"value": 0.9, "95 % low": 0.8, "95 % high": 0.97, "images": 40}
    calls = pd.DataFrame([row], pd.MultiIndex.from_tuples([("as chosen", "sensitivity")], names=["threshold", "score"]))
    assert "4 of 40 malignant images missed; 0.95: point estimate below" in clinical_use.missed_in_words(calls)
    assert clinical_use.missed_in_words(calls[:0]) == "no result yet"
