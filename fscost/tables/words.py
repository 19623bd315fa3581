"""What a table says about itself: what is counted, how to read it, what its marks mean, where it comes from."""

from collections.abc import Iterator, Sequence

import pandas as pd

from fscost.measure import MEASURES, Traffic
from fscost.record import Status
from fscost.tables.lines import Line
from fscost.tables.spec import Row, TableSpec

UNKNOWN = "n/a"

_MARKS = {
    str(Status.MISSING): "not computed yet",
    str(Status.FAILED): "the run failed",
    str(Status.TIMEOUT): "the run took too long",
    str(Status.INTERRUPTED): "the run was cut off",
    str(Status.CORRUPT): "the run's files cannot be believed",
    UNKNOWN: "not known",
}


def counted(spec: TableSpec) -> str:
    """Return what the numbers count, for the caption."""
    return f"{spec.measure} of {spec.traffic} messages"


def reading(lines: Sequence[Line], spec: TableSpec) -> Iterator[str]:
    """Yield the sentences that say how to read the columns."""
    others = " and ".join(str(t) for t in Traffic if t != spec.traffic)
    yield f"{spec.measure.capitalize()}: {MEASURES[spec.measure].meaning}; {others} messages are not counted."
    per = "per participating client and round" if spec.traffic == Traffic.TRAINING else "the mean of a message"
    yield f"Uplink, downlink: {per}."
    yield f"Total: all clients and rounds, both directions{_unit(spec)}."
    yield "Ratio: total relative to the first row of the same model and clients."
    if any(line.cells["engine"].eq("estimate").any() for line in lines):
        yield "Estimated in closed form from the protocol and the models' shapes: nothing was trained."
        return
    yield f"{metric_name(spec)}: after the last round, over all samples; {_seeds(lines)}."


def _seeds(lines: Sequence[Line]) -> str:
    fewest, most = min(len(line.cells) for line in lines), max(len(line.cells) for line in lines)
    if most == 1:
        return "one seed"
    return f"mean ± sample standard deviation over {most if fewest == most else f'{fewest} to {most}'} seeds"


def _unit(spec: TableSpec) -> str:
    return f"; {spec.unit} = {power(spec.unit)} bytes" if power(spec.unit) else ""


def power(unit: str) -> str:
    """Return how many bytes a unit is, as a power; nothing for bytes themselves."""
    powers = {"kB": "10³", "MB": "10⁶", "GB": "10⁹", "KiB": "2¹⁰", "MiB": "2²⁰", "GiB": "2³⁰"}
    return powers.get(unit, "")


def metric_name(spec: TableSpec) -> str:
    """Return what the metric's column is called."""
    name = spec.metric.replace("_", " ")
    return "Accuracy" if name == "test acc" else name.replace(" acc", " accuracy").capitalize()


def notes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what each mark in the table means."""
    for mark in dict.fromkeys(entry.text for row in rows for entry in row.entries if entry.mark):
        yield f"{mark}: {_MARKS[mark]}"


def _commit(cells: pd.DataFrame) -> str:
    known = list(cells["fs_commit"].dropna()) if "fs_commit" in cells else []
    return f", commit {known[0]}" if known else ""


def provenance(cells: pd.DataFrame) -> Iterator[str]:
    """Yield what the numbers depend on besides the caption: for a comment in the file."""
    first = cells.iloc[0]
    yield f"engine {first['engine']}, message protocol of FederatedScope {first['protocol']}{_commit(cells)}"
    yield f"{(cells['status'] == Status.DONE).sum()} of {len(cells)} cells done: {' '.join(cells['cell'])}"
