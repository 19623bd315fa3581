"""What a column can show: how it is computed, what it is called, which way is better, how to read it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from fscost.cells.measure import BACK, FORTH, NETWORK, Link, Traffic
from fscost.cells.outcome import Status
from fscost.tables.column import ALL, ColumnSpec
from fscost.tables.lines import (
    Line,
    Record,
    Values,
    bytes_columns,
    client_rounds_column,
    course_of,
    is_unknown,
    message_columns,
)
from fscost.tables.marks import DOUBTED, NOT_REACHED, SO_FAR, UNKNOWN, Mark, MarkKind, not_reached, unknown
from fscost.tables.network_model import FOR_EXAMPLE, Connection, Course
from fscost.tables.quantity import Kind, Of, Quantity, Wording

# --- bytes ----------------------------------------------------------------------------------------


def _of_courses(value: Callable[[Course], float | None]) -> Of:
    """Return what computes a value from what each run sent."""

    def of(line: Line, column: ColumnSpec) -> Values:
        courses = line.courses(column)
        if isinstance(courses, Mark):
            return courses
        values = [value(course) for course in courses]
        is_spread = all(sent.share is not None for course in courses for sent in course.links)
        return _told(values) if is_spread or None not in values else _NOT_SPREAD

    return of


_NOT_SPREAD = unknown(
    "ledgers of format 1 do not tell how many clients took part in a round of such a course; rerun it"
)


def _told(values: list[float | None]) -> Values:
    """Return the values, unknown where one of them is."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else UNKNOWN


def _share(link: Link) -> Of:
    """Return what computes the bytes that a participating client sends or receives in one round.

    Of other traffic than training, which not every round has, it is the mean of a message. Of network, it is all that
    this direction of the client's link carries.
    """

    def of(line: Line, column: ColumnSpec) -> Values:
        if column.measure == NETWORK:
            return _of_courses(lambda course: course.share_bytes(link))(line, column)
        is_training = column.traffic == Traffic.TRAINING
        spread = [client_rounds_column(column, link)] if is_training else message_columns(column, link)
        size, number = line.sums(bytes_columns(column, link)), line.sums(spread)
        if isinstance(size, Mark):
            return size
        if isinstance(number, Mark):
            return _NOT_SPREAD if number.kind is MarkKind.UNKNOWN and is_training else number
        return _told([_each(b, n, column) for b, n in zip(size, number, strict=True)])

    return of


def _each(size: float, number: float, column: ColumnSpec) -> float | None:
    """Return the bytes of one of a number; a client that sends none in training sends 0, a mean of none is unknown."""
    if number:
        return size / number
    return 0.0 if column.traffic == Traffic.TRAINING else None


def _peer(line: Line, column: ColumnSpec) -> Values:
    """Return what a client that sends to others sends them in one round, of other traffic the mean of a message.

    Network has it in the links of both.
    """
    if column.traffic == Traffic.TRAINING:
        return _of_courses(lambda course: course.peer.share and course.peer.share[0])(line, column)
    return _of_courses(lambda course: _each(course.peer.size_bytes, course.peer.messages, column) or 0.0)(line, column)


def _sum_of(*links: Link) -> Of:
    """Return what computes the bytes of all clients and rounds over some links."""

    def of(line: Line, column: ColumnSpec) -> Values:
        if column.measure == NETWORK:
            return unknown("each direction also carries what answers the other")
        return line.sums([name for link in links for name in bytes_columns(column, link)])

    return of


def _total(line: Line, column: ColumnSpec) -> Values:
    return _of_courses(lambda course: course.total_bytes)(line, column)


def _per_round(line: Line, column: ColumnSpec) -> Values:
    return _of_courses(lambda course: course.total_bytes / course.rounds if course.rounds else None)(line, column)


def _per_client(line: Line, column: ColumnSpec) -> Values:
    """Return what all clients send and receive by their number; a message between clients is one of each."""
    clients, courses = line.values("clients"), line.courses(column)
    if isinstance(clients, Mark):
        return clients if clients.kind is not MarkKind.UNKNOWN else unknown("how many clients there are")
    if isinstance(courses, Mark):
        return courses
    return _told([course.carried_bytes / n if n else None for n, course in zip(clients, courses, strict=True)])


def _uplink_share(line: Line, column: ColumnSpec) -> Values:
    """Return the share of the total that clients send to the server, in percent."""
    return _shares(_sum_of(Link.UPLINK)(line, column), _total(line, column))


def _per_parameter(line: Line, column: ColumnSpec) -> Values:
    """Return the bytes of a mean message per parameter of the model."""
    params, courses = line.values("params"), line.courses(column)
    if isinstance(params, Mark):
        return params
    if isinstance(courses, Mark):
        return courses
    return _told(
        [c.total_bytes / c.messages / n if n and c.messages else None for n, c in zip(params, courses, strict=True)]
    )


def _traffic_share(line: Line, column: ColumnSpec) -> Values:
    """Return this traffic's share of all bytes, in percent."""
    return _shares(_total(line, column), _total(line, replace(column, traffic=ALL)))


def _shares(parts: Values, wholes: Values) -> Values:
    """Return what parts are of their wholes, in percent; of nothing there is no share."""
    if isinstance(parts, Mark) or isinstance(wholes, Mark):
        return parts if isinstance(parts, Mark) else wholes
    return _told([100 * part / whole if whole else None for part, whole in zip(parts, wholes, strict=True)])


# --- rounds, metrics and times --------------------------------------------------------------------


def _of_column(name: Callable[[ColumnSpec], str]) -> Of:
    """Return what takes a column of the frame of cells as it is."""
    return lambda line, column: line.values(name(column))


def _evaluated(line: Line, column: ColumnSpec) -> list[list[float]]:
    """Return for each run the metric after each evaluated round that knows it."""
    courses = (line.rounds.get(str(run["cell"]), ()) for run in line.runs)
    return [[float(row[column.metric]) for row in rows if not is_unknown(row.get(column.metric))] for rows in courses]


def _final(line: Line, column: ColumnSpec) -> Values:
    values = line.values(f"final_{column.metric}")
    if not isinstance(values, Mark) or values.kind is not MarkKind.UNKNOWN:
        return values
    if not all(_evaluated(line, column)):
        return _unlogged(line, column)
    last = (line.rounds[str(run["cell"])][-1] for run in line.runs)
    has_diverged = any(is_unknown(row.get(column.metric)) for row in last)
    return unknown(f"{column.metric} {'is no number' if has_diverged else 'was not evaluated'} after the last round")


def _best(line: Line, column: ColumnSpec) -> Values:
    """Return the best of all evaluated rounds of each run, unknown where nobody knows which way that is."""
    if line.status is not Status.DONE:
        return line.values("rounds_trained")
    if not column.direction:
        return unknown(f"nobody knows which way of {column.metric} is better")
    courses = _evaluated(line, column)
    best = max if column.direction == "higher" else min
    return [best(values) for values in courses] if all(courses) else _unlogged(line, column)


def _unlogged(line: Line, column: ColumnSpec) -> Mark:
    return unknown("nothing was trained" if line.is_estimate else f"no number of {column.metric} was logged")


def _at_target(value: Callable[[Record, ColumnSpec], float | None], unreached: Callable[[float], Mark]) -> Of:
    """Return what computes a value at the first evaluation that reached the target.

    Where one seed did not reach it there is no mean, and the mark says so.
    """

    def of(line: Line, column: ColumnSpec) -> Values:
        if line.status is not Status.DONE:
            return line.values("rounds_trained")
        courses = [line.rounds.get(str(run["cell"]), ()) for run in line.runs]
        if not all(_evaluated(line, column)):
            return _unlogged(line, column)
        reached = [next((row for row in course if _is_reached(row, column)), None) for course in courses]
        missed = [course[-1]["round"] for row, course in zip(reached, courses, strict=True) if row is None]
        if missed:
            return unreached(min(missed))
        values = _told([value(row, column) for row in reached if row is not None])
        return unknown("how many bytes were sent until the target") if isinstance(values, Mark) else values

    return of


def _is_reached(row: Record, column: ColumnSpec) -> bool:
    value = row.get(column.metric)
    if is_unknown(value) or value is None:
        return False
    return bool(value >= column.target if column.direction == "higher" else value <= column.target)


def _bytes_until(row: Record, column: ColumnSpec) -> float | None:
    course = course_of(row, float(row["round"]), column)
    return None if course is None else course.total_bytes


def _time(value: Callable[[Connection, Course], float | None]) -> Of:
    """Return what computes a communication time; courses without synchronous rounds have none."""

    def of(line: Line, column: ColumnSpec) -> Values:
        connection = column.connection
        if connection is None:
            return unknown(f"times need the clients' link: {FOR_EXAMPLE}")
        if line.status is Status.DONE and not line.is_synchronous:
            return UNKNOWN
        if line.status is Status.DONE and (uneven := line.known("uneven")):
            return unknown(f"a round waits for the slowest client, of which the mean tells nothing: {uneven}")
        return _of_courses(lambda course: value(connection, course))(line, column)

    return of


# --- how to read it -------------------------------------------------------------------------------


def _share_said(said: Wording) -> str:
    if said.column.measure == NETWORK:
        return (
            f"Uplink, downlink: what this direction carries per participating client and {said.column.occasion}, "
            f"{FORTH} sent this way and {BACK} sent the other way."
        )
    is_training = said.column.traffic == Traffic.TRAINING
    return f"Uplink, downlink: {'per participating client and round' if is_training else 'the mean of a message'}."


def _peer_said(said: Wording) -> str:
    share = "what a participating client sends to other clients in one round"
    of = share if said.column.traffic == Traffic.TRAINING else "the mean of a message between clients"
    return f"Peer: {of}; part of the total."


def _until_said(said: Wording) -> str:
    return f"Until {said.column.target_name}: up to and with the first evaluated round that reaches it."


def _best_said(said: Wording) -> str:
    which = {"higher": "highest", "lower": "lowest", "": "best"}[said.column.direction]
    return f"{said.name}: {which} of all evaluated rounds, over all samples."


def _logged_said(said: Wording) -> str:
    return (
        "Logged: total_upload_bytes and total_download_bytes of FederatedScope's system_metrics.log, of all "
        "messages and rounds; per client, the mean over the clients that logged."
    )


# --- what FederatedScope logged -------------------------------------------------------------------


def _logged(way: str, who: str, *, per: Callable[[Record], float] = lambda run: 1) -> Of:
    """Return what takes FederatedScope's own count of some workers, ``upload`` or ``download``, divided by `per`."""

    def of(line: Line, column: ColumnSpec) -> Values:
        sums = line.sums([f"logged_{one}_{way}_bytes" for one in who.split("+")])
        return sums if isinstance(sums, Mark) else [size / per(run) for size, run in zip(sums, line.runs, strict=True)]

    return of


def _logged_quantities() -> Iterator[Quantity]:
    """Yield both directions of each: a client in the mean, all clients, the server, and the mean of all workers."""
    whose: tuple[tuple[str, str, str, Callable[[Record], float]], ...] = (
        ("", "Logged per client", "client", lambda run: float(run["logged_clients"])),
        ("total_", "Logged by all clients", "client", lambda run: 1),
        ("server_", "Logged by the server", "server", lambda run: 1),
        ("mean_", "Logged, mean of all workers", "client+server", lambda run: float(run["logged_clients"]) + 1),
    )
    for key, group, who, per in whose:
        for way in ("upload", "download"):
            yield Quantity(
                f"logged_{key}{way}", way.capitalize(), Kind.BYTES, _logged(way, who, per=per), better="",
                family=f"logged_{key}", group=group, sentences=[_logged_said],
                notes=lambda line: (DOUBTED,) if line.known("implausible") else (),
            )  # fmt: skip


# --- the registry ---------------------------------------------------------------------------------

_LIST = (
    Quantity("uplink", "Uplink", Kind.BYTES, _share(Link.UPLINK), family="share", sentences=[_share_said],
             in_logs=["logged_upload"]),
    Quantity("downlink", "Downlink", Kind.BYTES, _share(Link.DOWNLINK), family="share", sentences=[_share_said],
             in_logs=["logged_download"]),
    Quantity("peer", "Peer", Kind.BYTES, _peer, family="share", optional=True, sentences=[_peer_said]),
    Quantity("total", "Total", Kind.BYTES, _total, family="total",
             sentences=[lambda said: f"{said.names}: all clients and rounds, both directions."],
             in_logs=[f"logged_{who}_{way}" for who in ("total", "server") for way in ("upload", "download")]),
    Quantity("total_uplink", "Total uplink", Kind.BYTES, _sum_of(Link.UPLINK), family="total",
             sentences=[lambda said: f"{said.names}: all clients and rounds."], in_logs=["logged_total_upload"]),
    Quantity("total_downlink", "Total downlink", Kind.BYTES, _sum_of(Link.DOWNLINK), family="total",
             sentences=[lambda said: f"{said.names}: all clients and rounds."], in_logs=["logged_total_download"]),
    Quantity("per_round", "Per round", Kind.BYTES, _per_round, family="per_round",
             sentences=[lambda said: f"{said.names}: all clients, both directions, the mean over rounds."]),
    Quantity("per_client", "Per client", Kind.BYTES, _per_client, family="per_client",
             sentences=[lambda said: f"{said.names}: what a client sends and receives in all rounds, the mean over all "
                                     "clients."]),
    Quantity("uplink_share", "Uplink share", Kind.PERCENT, _uplink_share, better="",
             sentences=[lambda said: f"{said.names}: of the total."]),
    Quantity("per_parameter", "Per parameter", Kind.BYTES, _per_parameter, family="per_parameter",
             sentences=[lambda said: f"{said.name}: bytes of a mean message by the model's number of parameters."]),
    Quantity("traffic_share", "Share", Kind.PERCENT, _traffic_share, better="",
             sentences=[lambda said: f"{said.names}: of the bytes of training, evaluation and control together."]),
    Quantity("ratio", "Ratio", Kind.FACTOR, against="total", relative=lambda own, base: own / base, may_leave=True,
             sentences=[lambda said: f"{said.name}: {said.source} relative to {said.against}."]),
    Quantity("factor", "Reduction", Kind.FACTOR, better="higher", against="total", may_leave=True, suffix="×",
             relative=lambda own, base: base / own,
             sentences=[lambda said: f"{said.name}: how many times smaller the {said.source} is than {said.against}."]),
    Quantity("saving", "Saved", Kind.PERCENT, better="higher", against="total", may_leave=True,
             relative=lambda own, base: 100 * (1 - own / base),
             sentences=[lambda said: f"{said.name}: how much less the {said.source} is than {said.against}."]),
    Quantity("rounds", "Rounds", Kind.COUNT, _of_column(lambda column: "rounds_trained"), better="", may_leave=True),
    Quantity("final", "", Kind.METRIC, _final, optional=True,
             sentences=[lambda said: f"{said.name}: after the last round, over all samples."]),
    Quantity("best", "Best", Kind.METRIC, _best, optional=True, sentences=[_best_said],
             notes=lambda line: (SO_FAR,) if line.known("best_of") else ()),
    Quantity("rounds_to", "Rounds", Kind.COUNT, _at_target(lambda row, column: float(row["round"]), not_reached),
             waits=True, sentences=[_until_said]),
    Quantity("bytes_to", "Bytes", Kind.BYTES, _at_target(_bytes_until, lambda rounds: NOT_REACHED),
             waits=True, sentences=[_until_said]),
    Quantity("speedup", "Speed-up", Kind.FACTOR, better="higher", against="rounds_to", may_leave=True, waits=True,
             relative=lambda own, base: base / own,
             sentences=[_until_said, lambda said: f"{said.name}: rounds of {said.against.removeprefix('that of ')} "
                                                  "divided by those of the row."]),
    Quantity("bytes_ratio", "Ratio", Kind.FACTOR, against="bytes_to", may_leave=True, waits=True,
             relative=lambda own, base: own / base,
             sentences=[_until_said, lambda said: f"{said.name}: bytes until then relative to "
                                                  f"{said.against.replace('that of', 'those of')}."]),
    Quantity("round_time", "Time/round", Kind.SECONDS, _time(lambda connection, course: connection.round_s(course)),
             optional=True, needs_network=True),
    Quantity("total_time", "Total time", Kind.SECONDS, _time(lambda connection, course: connection.total_s(course)),
             optional=True, needs_network=True),
    *_logged_quantities(),
)  # fmt: skip

QUANTITIES = {quantity.key: quantity for quantity in _LIST}
"""Key → quantity: what ``table.columns`` can name."""


def comparable() -> list[str]:
    """Return what ratios, savings and factors can be of: bytes and times of whole courses, which every run has."""
    return [key for key, own in QUANTITIES.items() if own.kind in (Kind.BYTES, Kind.SECONDS) and not own.waits]
