"""What notebook 09 says beside the ledger: an abstract in sentences, and where each table and figure comes from."""

import json
from pathlib import Path

import pandas as pd

from lib.core import words
from lib.evaluation import statistics
from lib.pipeline import ledger


def abstract(entries: pd.DataFrame, endpoints: pd.DataFrame, note: str) -> str:
    """About a dozen lines of Markdown, all numbers from :func:`ledger.ledger` and :func:`ledger.endpoints`."""
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
    return f"Verdicts with p below 0.05 after Holm's correction, plan complete (*confirmed*): {named}."


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


def _sentence(row: pd.Series) -> str:
    if pd.isna(row["95 % low"]):
        return f"{row.endpoint}: {row.verdict}."
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
