"""What a table says about itself: what is counted, how to read it, what its marks mean, where it comes from."""

from collections.abc import Iterator, Sequence

import pandas as pd

from fscost.measure import BACK, FORTH, MEASURES, NETWORK, Link, Traffic
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
    what = "estimated network bytes" if spec.measure == NETWORK else spec.measure
    return f"{what} of {spec.traffic} messages"


def reading(lines: Sequence[Line], spec: TableSpec) -> Iterator[str]:
    """Yield the sentences that say how to read the columns."""
    others = " and ".join(str(t) for t in Traffic if t != spec.traffic)
    yield f"{spec.measure.capitalize()}: {MEASURES[spec.measure].meaning}; {others} messages are not counted."
    yield from _directions(lines, spec)
    yield f"Total: all clients and rounds, both directions{_unit(spec)}."
    yield "Ratio: total relative to the first row of the same model and clients."
    yield from _times(lines, spec)
    if any(line.cells["engine"].eq("estimate").any() for line in lines):
        yield "Estimated in closed form from the protocol and the models' shapes: nothing was trained."
        return
    yield f"{metric_name(spec)}: after the last round, over all samples; {_seeds(lines)}."


def each(spec: TableSpec) -> str:
    """Return what the figures of uplink and downlink are of."""
    if spec.measure == NETWORK:
        return f"client/{_OCCASIONS[spec.traffic]}"
    return "client/round" if spec.traffic == Traffic.TRAINING else "message"


_OCCASIONS = {"training": "round", "evaluation": "evaluation", "control": "exchange"}


def _directions(lines: Sequence[Line], spec: TableSpec) -> Iterator[str]:
    if spec.measure == NETWORK:
        yield (
            "Error of the estimate: 0.8 % rms (one direction alone: 0.7 % downlink, 1.7 % uplink), at most 2 % for "
            "models of 5,000 parameters or more, with MTU 1500, a connection per message and no compression."
        )
        yield (
            f"Uplink, downlink: what this direction carries per participating client and {_OCCASIONS[spec.traffic]}, "
            f"{FORTH} sent this way and {BACK} sent the other way."
        )
    else:
        per = "per participating client and round" if spec.traffic == Traffic.TRAINING else "the mean of a message"
        yield f"Uplink, downlink: {per}."
        if _has_peers(lines, spec):
            yield "Peer: what a participating client sends to other clients in one round; part of the total."
    if (spec.measure == NETWORK or spec.connection) and _has_peers(lines, spec):
        yield "Messages between clients are on the sender's uplink and the receiver's downlink."


def _has_peers(lines: Sequence[Line], spec: TableSpec) -> bool:
    column = f"{spec.traffic}_{Link.PEER}_messages"
    return any(line.cells[column].dropna().gt(0).any() for line in lines if column in line.cells)


def _times(lines: Sequence[Line], spec: TableSpec) -> Iterator[str]:
    if spec.connection is None:
        return
    yield f"Time: of communication alone, {spec.connection.sums(spec.measure)}; in total × rounds."
    yield (
        "A round lasts as long as its slowest client; all have the same link, the server's is no bottleneck, "
        "and connecting takes no time."
    )
    if not all(line.is_synchronous for line in lines):
        yield "Asynchronous and vertical courses have no such rounds."


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
