"""What a table says about itself: what is counted, how to read it, what its marks mean."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from fscost.cells.cell import AXES
from fscost.cells.measure import BITS, MEASURES, NETWORK, Link, Traffic
from fscost.cells.outcome import Status
from fscost.protocol.no_effect import WORDS, options_in, part_of
from fscost.tables.column import ALL, ColumnSpec
from fscost.tables.column_style import Style
from fscost.tables.comparison import Keys
from fscost.tables.headings import Heads, of_axis
from fscost.tables.lines import Line, Record, bytes_columns, is_missing, is_unknown, sizes_of
from fscost.tables.marks import DOUBTED, ESTIMATED, NO_EFFECT, SO_FAR, Mark, MarkKind
from fscost.tables.numbers import whole
from fscost.tables.option_values import ADAPTER, RANK, VIRTUAL_TOKENS
from fscost.tables.own_formula import quantity_of, sources_of
from fscost.tables.quantity import Kind
from fscost.tables.seeds import counts_of, number_of
from fscost.tables.spec import TableSpec
from fscost.tables.table import Column, Entry, Note, Row

_ESTIMATES = {
    "closed form": "in closed form from the protocol and the models' shapes, nothing was trained",
    "derived": "derived from the configuration in closed form, with which the logs agree; no message was metered",
    NETWORK: "network bytes: error 0.8 % rms (one direction alone 0.7 % downlink, 1.7 % uplink), at most 2 % for "
    "models of 5,000 parameters or more, with MTU 1500, a connection per message and no compression; numbers within "
    "1 % tie",
    "times": "times from bytes and the links' rates",
}


def counted(lines: Sequence[Line], columns: Sequence[ColumnSpec], rows: Sequence[Row], spec: TableSpec) -> str:
    """Return what the numbers count, and over how many seeds, for the caption."""
    sizes = [column for column in columns if _is_of_bytes(column)]
    measures = dict.fromkeys(column.measure for column in sizes)
    what = [messages_of(measure, [c.traffic for c in sizes if c.measure == measure]) for measure in measures]
    return "; ".join([*what, _seeds(lines, rows, spec)])


def _is_of_bytes(column: ColumnSpec) -> bool:
    return any(part.kind is Kind.BYTES for part in sources_of(column))


def messages_of(measure: str, traffics: Sequence[str]) -> str:
    """Return what is counted: bytes of which measure, of which messages."""
    what = {NETWORK: "estimated network bytes", "payload": "payload"}.get(measure, f"{measure} bytes")
    classes = [traffic for traffic in dict.fromkeys(traffics) if traffic != ALL]
    if not classes:
        return f"{what} of all messages"
    *first, last = classes
    return f"{what} of {', '.join(first)}{' and ' if first else ''}{last} messages"


def _seeds(lines: Sequence[Line], rows: Sequence[Row], spec: TableSpec) -> str:
    """Return over how many seeds numbers are, and how they are made one."""
    if "seed" in lines[0].axes:
        return "each seed alone"
    numbers = counts_of(lines)
    if numbers == [1]:
        return "one seed"
    entries = [entry for row in rows if not row.cited for entry in row.entries]
    if any(entry.spread or entry.bounds for entry in entries) and spec.aggregate in _SPREADS:
        return f"{_SPREADS[spec.aggregate]} over {number_of(numbers)}"
    return f"{'median' if spec.aggregate == 'median' else 'mean'} over {number_of(numbers)}"


_SPREADS = {
    "mean_std": "mean ± sample standard deviation",
    "ci95": "mean ± half of the 95 % confidence interval (Student's t)",
    "min_max": "mean (least–largest)",
}


def best_said(keys: Keys, spec: TableSpec) -> str:
    """Return what is emphasised, and among what: ``best of those with the same model and clients``."""
    along = {spec.compare, *keys.extra} - {*keys.settings}
    same = [spec.label(key).lower() if key in AXES else spec.label(key) for key in keys.of_lines if key not in along]
    *first, last = same or [""]
    among = f"those with the same {', '.join(first)}{' and ' if first else ''}{last}" if same else "its column"
    return f"best of {among}" + (f", and what is not significantly worse ({spec.judge})" if spec.judge else "")


def none_best(rows: Sequence[Row], spec: TableSpec) -> Iterator[str]:
    """Yield the sentence that no number is emphasised as a test told none from others."""
    if spec.judge and not any(entry.emphasis for row in rows for entry in row.entries):
        yield f"Nothing is marked as best: no number is significantly better than others of its group ({spec.judge})."


# --- how to read it -------------------------------------------------------------------------------


def reading(
    lines: Sequence[Line], keys: Keys, columns: Sequence[tuple[ColumnSpec, Style]], heads: Heads, spec: TableSpec
) -> Iterator[str]:
    """Yield the sentences that say how to read the columns that are shown."""
    sizes = [column for column, _ in columns if _is_of_bytes(column)]
    for measure in dict.fromkeys(column.measure for column in sizes):
        yield f"{measure.capitalize()}: {_meaning(measure, lines)}."
    classes = {traffic for column in sizes for traffic in column.traffics}
    if others := [str(traffic) for traffic in Traffic if traffic not in classes] if sizes else []:
        yield f"{' and '.join(others).capitalize()} messages are not counted."
    yield from dict.fromkeys(_sentences([column for column, _ in columns], heads))
    yield from unseen_of(lines, sizes)
    yield from units_said(style.unit for _, style in columns)
    yield from _times(lines, [column for column, _ in columns])
    if same := [*in_words(constants_of(keys, lines, [column.quantity for column, _ in columns]), spec)]:
        text = ", ".join(same)
        whose = "all rows that are not cited" if spec.cited else "all rows"
        yield f"The same in {whose}: {text}." if len(lines) > 1 else f"{text[0].upper()}{text[1:]}."


def _sentences(columns: Sequence[ColumnSpec], heads: Heads) -> Iterator[str]:
    said = (say(heads.wording(column)) for column in columns for say in quantity_of(column).sentences)
    return filter(None, said)


def _times(lines: Sequence[Line], columns: Sequence[ColumnSpec]) -> Iterator[str]:
    timed = [column for column in columns if any(part.needs_network for part in sources_of(column))]
    if (timed or any(column.measure == NETWORK for column in columns)) and _have_peers(lines, columns):
        yield "Messages between clients are on the sender's uplink and the receiver's downlink."
    if not timed or timed[0].connection is None:
        return
    yield f"Time: of communication alone, {timed[0].connection.sums(timed[0].measure)}; in total × rounds."
    yield (
        "A round lasts as long as its slowest client; all have the same link, the server's is no bottleneck, "
        "and connecting takes no time."
    )
    if not all(line.is_synchronous for line in lines):
        yield "Asynchronous and vertical courses have no such rounds."


def _have_peers(lines: Sequence[Line], columns: Sequence[ColumnSpec]) -> bool:
    names = {f"{traffic}_peer_messages" for column in columns for traffic in column.traffics}
    sent = (run.get(name) for line in lines for run in line.runs for name in names)
    return any(not is_missing(messages) and messages != 0 for messages in sent)


def units_said(units: Iterable[str]) -> Iterator[str]:
    """Yield how many bytes, and how many bits, the units are."""
    known = [unit for unit in dict.fromkeys(units) if power(unit)]
    for name, own in (("bytes", [u for u in known if u not in BITS]), ("bits", [u for u in known if u in BITS])):
        if own:
            yield f"{', '.join(f'{unit} = {power(unit)}' for unit in own)} {name}."


def power(unit: str) -> str:
    """Return how many bytes a unit is, or how many bits, as a power; nothing for bytes and bits themselves."""
    powers = {"kB": "10³", "MB": "10⁶", "GB": "10⁹", "KiB": "2¹⁰", "MiB": "2²⁰", "GiB": "2³⁰"}
    return (powers | {"kbit": "10³", "Mbit": "10⁶", "Gbit": "10⁹"}).get(unit, "")


# --- the same in all rows -------------------------------------------------------------------------


def size_of_all(lines: Sequence[Line], keys: Keys) -> int | None:
    """Return the number of parameters where its column is to leave as all models have it."""
    sizes = sizes_of(lines)
    found = {sizes.get(line.model) for line in lines}
    return found.pop() if "params" in keys.if_varying and len(found) == 1 < len(lines) else None


def constants_of(keys: Keys, lines: Sequence[Line], shown: Collection[str] = ()) -> Mapping[str, Any]:
    """Return what never differs and so has no column, by its key; `shown` are the quantities that have columns.

    Rounds are those that were trained, and left out where that is not one number.
    """
    found = {key: value for key, value in keys.constant.items() if value is not None}
    if "rounds" in found:
        found |= {"rounds": None if "rounds" in shown else rounds_of(lines)}
    found["params"] = size_of_all(lines, keys)
    return {key: found[key] for key in _ORDER if found.get(key) is not None}


_OF_ADAPTERS = (ADAPTER, RANK, VIRTUAL_TOKENS)
_ORDER = ("method", "model", "params", *_OF_ADAPTERS, "data", "clients", "rounds")


def rounds_of(lines: Sequence[Line]) -> int | None:
    """Return for how many rounds all runs that are done were trained, None where that differs or is not known.

    Where none is done it is for how many they are to be.
    """
    runs = [run for line in lines for run in line.runs]
    done = [run.get("rounds_trained") for run in runs if run["status"] == Status.DONE]
    known = done or [run.get("rounds") for run in runs]
    found = {None if value is None or is_unknown(value) else int(value) for value in known}
    return found.pop() if len(found) == 1 else None


def in_words(constants: Mapping[str, Any], spec: TableSpec) -> Iterator[str]:
    """Yield constants as a note has them: ``model MLP-64``, ``4,958 parameters``, ``8 rounds``."""
    for key, value in constants.items():
        name = spec.label(key).lower() if key in _OF_ADAPTERS else key
        yield f"{whole(value)} parameters" if key == "params" else of_axis(name, value, spec.label(value))


# --- marks ----------------------------------------------------------------------------------------


def notes(
    rows: Sequence[Row],
    columns: Sequence[Column] = (),
    lines: Sequence[Line] = (),
    specs: Sequence[ColumnSpec] = (),
    closed_form: Sequence[str] = (),
) -> Iterator[Note]:
    """Yield what each mark in the table means, and what is emphasised; `closed_form` adds reasons for †."""
    entries = [entry for row in rows for entry in row.entries]
    marks = {entry.mark.sign: entry.mark for entry in entries if entry.mark}
    for mark in marks.values():
        yield Note(mark.sign, "; ".join([mark.meaning, *_reasons(mark, entries)]), mark.status)
    zeros = (entry for entry in entries if entry.number is not None and entry.text == "0")
    if lines and any(isinstance(entry.value, float) for entry in zeros):
        yield Note("0", "counted: exactly 0 bytes")
    behind = {mark for entry in entries for mark in entry.notes} | {column.mark for column in columns}
    if SO_FAR in behind:
        found = dict.fromkeys(run.get("best_of") for line in lines for run in line.runs)
        known = ", ".join(text for text in found if isinstance(text, str))
        yield Note(SO_FAR.sign, f"best of {known}; the model at the end was not evaluated")
    if DOUBTED in behind:
        found = dict.fromkeys(run.get("implausible") for line in lines for run in line.runs)
        doubts = dict.fromkeys(doubt for text in found if isinstance(text, str) for doubt in text.split("; "))
        yield Note(DOUBTED.sign, f"{DOUBTED.meaning}: {'; '.join(doubts)}")
    for mark in sorted((mark for mark in behind if mark and mark.kind is MarkKind.FEWER), key=str):
        yield Note(mark.sign, mark.meaning)
    if ESTIMATED in behind:
        why = [*(_ESTIMATES[form] for form in closed_form), *_estimates(lines, specs)]
        yield Note(ESTIMATED.sign, f"{ESTIMATED.meaning}: {'; '.join(why)}")


_OWN = {
    "wire": "a message as the training code says that it serialises it",
    "reported": "what a list of messages says of each",
}
"""What measures are of a training code that is not FederatedScope's, nor stands in for it."""


def _meaning(measure: str, lines: Sequence[Line]) -> str:
    """Return what a measure counts; those of somebody's own training code are its own."""
    usual, own = MEASURES[measure].meaning, _OWN.get(measure, "")
    found = {line.encodes_itself for line in lines} if own else {False}
    return own if found == {True} else f"{usual}, or {own}" if True in found else usual


def _reasons(mark: Mark, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield why a mark stands there, for those of its entries that say it."""
    alike = (entry.mark for entry in entries if entry.mark and entry.mark.sign == mark.sign)
    return iter(dict.fromkeys(own.why for own in alike if own.why))


def _estimates(lines: Sequence[Line], columns: Sequence[ColumnSpec]) -> Iterator[str]:
    if any(line.is_estimate for line in lines):
        yield _ESTIMATES["closed form"]
    if any(line.is_derived for line in lines):
        yield _ESTIMATES["derived"]
    if any(column.measure == NETWORK for column in columns):
        yield _ESTIMATES[NETWORK]
    if any(part.kind is Kind.SECONDS for column in columns for part in sources_of(column)):
        yield _ESTIMATES["times"]


# --- what payload leaves out ---------------------------------------------------------------------

_TRIFLE = 0.01
"""Up to this share of payload, what it leaves out is not worth a sentence."""

Pair = tuple[Any, Any]
"""Payload and scalar bytes of the same messages; None or nan where one is not known."""


def unseen(pairs: Iterable[Pair]) -> Iterator[str]:
    """Yield what payload leaves out, of the messages of which that is the largest share."""
    known = [(float(p), float(s)) for p, s in pairs if not (is_missing(p) or is_missing(s))]
    found = [(s / p if p else math.inf, s, p) for p, s in known if s > _TRIFLE * p]
    if found:
        _, scalar, payload = max(found)
        yield (
            f"Payload leaves out numbers and texts beside the tensors, up to {whole(scalar)} B beside "
            f"{whole(payload)} B; table.measure=content counts both."
        )


def unseen_of(lines: Sequence[Line], columns: Iterable[ColumnSpec]) -> Iterator[str]:
    """Yield what the payload of any run leaves out of the traffic that the columns count."""
    counted = dict.fromkeys(column.traffic for column in columns if column.measure == "payload")
    yield from unseen(pair for traffic in counted for pair in _pairs(lines, traffic))


def _pairs(lines: Sequence[Line], traffic: str) -> Iterator[Pair]:
    totals = [ColumnSpec(quantity="total", traffic=traffic, measure=measure) for measure in ("payload", "scalar")]
    names = [[name for link in Link for name in bytes_columns(total, link)] for total in totals]
    for line in lines:
        payload, scalar = ([] if isinstance(own := line.sums(columns), Mark) else own for columns in names)
        yield from zip(payload, scalar, strict=False)  # none, where one of them is not known


# --- methods without effect -----------------------------------------------------------------------


def no_effect_said(runs: Iterable[Record], spec: TableSpec) -> Iterator[str]:
    """Yield what did nothing, with the models in which: ``8-bit weights: quantised nothing in MLP-16, MLP-64``."""
    for (part, option), models in _no_effect(runs).items():
        yield f"{spec.label(part)}: {WORDS[option]} in {', '.join(spec.label(model) for model in models)}"


def _no_effect(runs: Iterable[Record]) -> Mapping[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for run in runs:
        for option in options_in(run.get("no_effect")):
            part = part_of(str(run["method"]), option)
            found.setdefault((part, option), {})[str(run["model"])] = None
    return {what: [*models] for what, models in found.items()}


def no_effect_note(runs: Iterable[Record], spec: TableSpec) -> Iterator[Note]:
    """Yield what the mark means, nothing where no run has one."""
    if texts := [*no_effect_said(runs, spec)]:
        yield Note(NO_EFFECT.sign, f"{NO_EFFECT.meaning}: {'; '.join(texts)}")


def no_effect_words(runs: Iterable[Record], spec: TableSpec) -> dict[str, list[str]]:
    """Return what did nothing in words, ``quantised nothing``, with the labels of the models in which."""
    found: dict[str, list[str]] = {}
    for (_, option), models in _no_effect(runs).items():
        found.setdefault(WORDS[option], []).extend(spec.label(model) for model in models)
    return found
