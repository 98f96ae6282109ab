"""What notebook 09 says beside the ledger: an abstract in sentences, and where each table and figure comes from."""

import json
from pathlib import Path

import pandas as pd

from lib.core import words
from lib.evaluation import statistics
from lib.pipeline import ledger
from lib.reported import nas, two_stage

_REACHED = (
    "04_ablation/04_table_1_figure",
    "07_leakage/07_protocols",
    "08_better_models/08_operating_point",
    "08_better_models/08_external_classes",
)


def abstract(figures: Path, entries: pd.DataFrame, endpoints: pd.DataFrame, note: str) -> str:
    """About fifteen lines of Markdown, from saved tables, :func:`ledger.ledger` and :func:`ledger.endpoints`."""
    counts = entries.verdict.value_counts()
    tested = entries.verdict.isin(set(ledger.VERDICTS) - {ledger.NOT_YET, statistics.NOT_TESTABLE}).sum()
    listed = [f"{counts[verdict]} {verdict}" for verdict in ledger.VERDICTS if verdict in counts]
    other = [text for text in listed if text.endswith((ledger.NOT_YET, statistics.NOT_TESTABLE))]
    found = f"{tested} tested ({'; '.join(text for text in listed if text not in other)})"
    excluded = entries[entries.verdict == statistics.CONTRADICTED]
    short = excluded.loc[excluded.claim.str.len().nsmallest(3).index]
    source = short["where"].eq("printed numbers").map({True: "elsewhere in the paper", False: "counted here"})
    examples = (short.claim + " (printed: " + short.paper + "; " + source + ": " + short.here + ")").tolist()
    done = endpoints["95 % low"].notna().sum()
    lines = [
        f"**{len(entries)} claims of two papers: {', '.join([found, *other])}.** Profile: {note}.",
        f"- {bases(entries, statistics.REPRODUCED)} {_width(entries)}",
        _penalised(entries),
        *(f"- {line}" for line in _reached(figures)),
        *(f"- **{name}.** {_sentence(row)}" for name, row in endpoints.iterrows()),
        f"- {done} of {len(endpoints)} values of the six primary endpoints have a result. {confirmed(endpoints)}",
        f"- {len(excluded)} claims ({excluded['place'].str.startswith('A').sum()} of paper A) are contradicted by what "
        f"the papers or their sources print; some share one cause. For example: {'; '.join(examples)}."
        if examples
        else "",
    ]
    return "\n".join(line for line in lines if line)


def confirmed(endpoints: pd.DataFrame) -> str:
    """Which verdicts on primary endpoints hold after Holm's correction."""
    held = endpoints[endpoints.confirmed == "yes"]
    named = ", ".join(f"{name} ({verdict})" for name, verdict in held.verdict.items()) or "none"
    return f"After Holm's correction for six tests (p below 0.05, plan complete: *confirmed*) stands: {named}."


def bases(entries: pd.DataFrame, verdict: str) -> str:
    """How many claims with a verdict rest on trainings, on counts, and on the printed numbers alone."""
    found = entries.loc[entries.verdict == verdict, "rests on"].value_counts()
    return f"{found.sum()} {verdict}: {', '.join(f'{number} by {basis}' for basis, number in found.items())}."


def _width(entries: pd.DataFrame) -> str:
    """How wide the intervals are in which printed scores lie: a fit in a wide one is weak evidence."""
    fits = entries[(entries.verdict == statistics.REPRODUCED) & entries["where"].str.endswith("hold_outs")]
    widths = (fits.high - fits.low).dropna()
    if widths.empty:
        return ""
    wide = f"{widths.min():.2f} to {widths.max():.2f}"
    return f"Intervals of one hold-out are {wide} wide, so that a score inside one is weak evidence."


def _penalised(entries: pd.DataFrame) -> str:
    """How many claims are not reproduced by networks whose penalty is one reading of the paper."""
    missed = entries.loc[entries.verdict == statistics.NOT_REPRODUCED, "remark"]
    number = missed.str.contains(nas.PENALISED).sum()
    return f"- {number} of {len(missed)} claims that are not reproduced rest on {nas.PENALISED}." if number else ""


def _reached(figures: Path) -> list[str]:
    """What paper A's models reach here: by both kinds of splits, in malignant images, in another hospital."""
    rounds, folds, calls, outside = (_csv(figures / f"{name}.csv") for name in _REACHED)
    lines = []
    if len(rounds):
        by_input = rounds.groupby(["inputs", "backbone"], sort=False)["accuracy"].mean()["image+mask"]
        networks = by_input.index.tolist() + [f"not {name}" for name in {two_stage.BACKBONE} - set(by_input.index)]
        printed = words.number(two_stage.table_i().accuracy["image+mask"], ".1%")
        line = (
            f"Paper A's model ({', '.join(networks)}): right in {_percent(by_input)} of test images by its split rule"
        )
        line = f"{line} (printed: {printed})"
        grouped = folds[(folds["protocol"] == "grouped folds") & folds["model"].str.startswith("image + mask")]
        if len(grouped):
            line = f"{line}, in {_percent(grouped['accuracy'])} under grouped folds, with fewer images to train on"
        lines.append(f"{line}.")
    for row in calls[:1].itertuples():  # the sensitivity at the threshold as chosen
        missed = f"{(1 - row.value) * row.images:.0f} of {row.images:.0f} malignant images"
        lines.append(f"The ensemble misses {missed} at a threshold that finds 95 % of those of validation data.")
    if len(outside):
        row = outside[outside["inputs"] == "image + mask"].iloc[0]
        right, alone = words.number(row["accuracy"], ".0%"), words.number(row["majority class"], ".0%")
        lines.append(
            f"On {row['images']:.0f} images of another hospital image and mask are right in {right}, where the "
            f"commonest class alone gives {alone}; the ensemble was not tried there."
        )
    return lines


def _csv(file: Path) -> pd.DataFrame:
    return pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["protocol", "model"])


def _percent(shares: pd.Series) -> str:
    return f"{100 * shares.min():.0f} to {100 * shares.max():.0f} %"


def _sentence(row: pd.Series) -> str:
    if pd.isna(row["95 % low"]):
        return f"{row.endpoint}: {row.verdict}."
    if row.remark and row["95 % low"] == row["95 % high"]:  # no answer differs, and the remark says why
        return f"{row.endpoint}: {row.remark}, so that nothing is known of the difference (by the rule {row.verdict})."
    adjusted = "" if pd.isna(row["p Holm"]) else f"; {words.p(row.p)}, after Holm {words.p(row['p Holm'])}"
    digits = ".3f" if row["95 % high"] - row["95 % low"] > 0.01 else ".4f"
    here, low, high = (words.number(value, digits) for value in row[["here", "95 % low", "95 % high"]])
    more = ", the whole interval lies below the bound" if row["95 % high"] < row.bound else ""
    found = f"{here} ({low} to {high}; bound {row.bound:g}{adjusted}): {row.verdict}{more}."
    return f"{row.endpoint}: {row.remark + '; ' if row.remark else ''}{found}"


def figure_data(entries: pd.DataFrame) -> pd.DataFrame:
    """``number``, ``low``, ``high`` and ``printed`` of the claims that have an interval, by claim."""
    return entries[entries.low.notna()].set_index("claim")[["number", "low", "high", "printed"]]


def paper_b(figures: Path, entries: pd.DataFrame) -> pd.DataFrame:
    """Each network of paper B, by its name: its number of parameters and its accuracy, printed and found here.

    Returns
    -------
    Of 06's parameter counts ``reported``, ``computed`` and ``verdict``; of the ledger's ``entries`` of accuracies
    ``printed``, ``number``, ``low``, ``high`` and, as ``tested``, the verdict.  No rows where 06 has not run.
    """
    table = figures / "06_nas" / "06_parameter_counts.csv"
    if not table.exists():
        return pd.DataFrame()
    counts = pd.read_csv(table, index_col=0)[["reported", "computed", "verdict"]]
    scores = entries.reindex("B-" + counts.index.str.replace(" ", "-") + "-accuracy").set_axis(counts.index)
    return counts.join(scores[["printed", "number", "low", "high"]]).assign(tested=scores.verdict)


def paper_b_in_words(table: pd.DataFrame) -> str:
    """How many counts of :func:`paper_b` are met, and how many printed accuracies lie in the intervals found here."""
    if table.empty:
        return ledger.NOT_YET
    found, trained = table.verdict.value_counts(), table.number.notna().sum()
    met, explained, unexplained = (found.get(name, 0) for name in ("match", "explained", "open"))
    counts = (
        f"Of {found.sum()} printed parameter counts {met} are met to the digit, {explained} are explained by another "
        f"reading or network of the paper, {unexplained} are not."
    )
    known = f"{trained} of {len(table)} networks are trained here on the data of the printed accuracy."
    return f"{counts} {known} {inside(table) if trained else ''}".strip()


def inside(table: pd.DataFrame) -> str:
    """How many printed values of :func:`figure_data` lie in the intervals found here."""
    if table.empty:
        return ledger.NOT_YET
    printed = table.dropna(subset=["low", "printed"])
    within = statistics.fits(printed.printed, printed.low, printed.high).sum()
    return f"{within} of {len(printed)} printed values lie in the 95 % intervals found here."


def provenance(figures: Path, besides: str) -> pd.DataFrame:
    """Where tables and figures of all notebooks ``besides`` one come from, and how many each source made.

    ``notebook``, ``profile``, ``seed``, ``commit``, ``machine``, ``results``.
    """
    rows = []
    for sidecar in sorted(file for file in figures.glob("*/*.json") if file.parent.name != besides):
        source = json.loads(sidecar.read_text())
        where = "{device}, {cores} cores, Keras {keras} on {backend}".format(**source["machine"])
        rows.append((source["notebook"], source["profile"]["name"], source["seed"], source["commit"], where))
    frame = pd.DataFrame(rows, columns=["notebook", "profile", "seed", "commit", "machine"])
    return frame.groupby(list(frame), as_index=False).size().rename(columns={"size": "results"})
