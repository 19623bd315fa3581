"""Values of options: which vary and must become a column, when two are the same, and how they are printed."""

import json
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from fscost.cells import provenance_options
from fscost.cells.cell import AXES, Cell
from fscost.cells.engine_kinds import engine_kind
from fscost.cells.names import is_place, shortened
from fscost.errors import ConfigError
from fscost.protocol import fs_options
from fscost.protocol.adapters import ARGUMENTS, USE, arguments_of

UNSET = "not set"
"""An option that FederatedScope does not have by itself, in cells that do not add it."""


def varying_options(cells: Iterable[Cell]) -> dict[str, dict[str, Any]]:
    """Return each option that differs between cells a table compares: of one model, data, clients and rounds.

    Methods may differ in the options that make them, unless these differ within one method. The values are by cell
    id; where a cell leaves FederatedScope's default, it is that default. What says where a run happened, read
    and wrote is none of them, unless two cells of one seed differ in nothing else.
    """
    cells = list(cells)
    same = dict.fromkeys(name for group in _groups(cells, "seed") for name in _differing(group))
    compared = (name for group in _groups(cells, "seed", "method") for name in _differing(group))
    twins = dict.fromkeys(_telling_twins(cells))
    found = options_of(cells, same | dict.fromkeys(name for name in compared if not makes_a_method(name)) | twins)
    return found | {name: {cell.id: cell.get(name) for cell in cells} for name in twins if name in _SHORTENED}


def shared_adapter(cells: Iterable[Cell]) -> dict[str, Any]:
    """Return the adapter of the cells with those of its arguments that tables name, as far as all have the same."""
    own = [{name: option_of(cell, name) for name in (ADAPTER, RANK, VIRTUAL_TOKENS)} for cell in cells]
    if not own or all(cell[ADAPTER] == "none" for cell in own):
        return {}
    same = {name: value for name, value in own[0].items() if all(cell[name] == value for cell in own)}
    return {name: value for name, value in same.items() if value != _NO_SUCH}


def own_spellings(cells: Iterable[Cell]) -> dict[str, str]:
    """Return how methods of training codes of one's own are written, by the name that they are compared by.

    One that is written in two ways has neither.
    """
    found: dict[str, set[str]] = {}
    for cell in cells:
        if _is_own_code(cell) and (written := str(cell.get("federate.method"))).lower() == cell.axes["method"]:
            found.setdefault(cell.axes["method"], set()).add(written)
    return {name: written for name, (written, *others) in found.items() if not others}


def _telling_twins(cells: list[Cell]) -> Iterator[str]:
    """Yield the options by which alone two cells of one seed differ: what was read at two places is not one seed."""
    found: dict[str, Cell] = {}
    for cell in (cell for group in _groups(cells) if len(group) > 1 for cell in group):
        factors = (name for name, _ in fs_options.leaves(cell.fs) if not provenance_options.is_provenance(name))
        options = sorted((name, repr(option_of(cell, name))) for name in factors)
        other = found.setdefault(repr([cell.engine, cell.protocol, options]), cell)
        if other.id != cell.id:
            yield from (name for name in _all_differing([other, cell]) if provenance_options.is_read(name))
            yield from (name for name in _SHORTENED if cell.get(name) != other.get(name))


def options_of(cells: Iterable[Cell], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return each of these options by cell id."""
    cells = list(cells)
    return {name: {cell.id: option_of(cell, name) for cell in cells} for name in names}


def _groups(cells: list[Cell], *but: str) -> list[list[Cell]]:
    """Return the cells that agree in all axes but some."""
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.axes[axis] for axis in AXES if axis not in but), []).append(cell)
    return list(groups.values())


def makes_a_method(name: str) -> bool:
    """Return whether an option belongs to a method, as all of a section with ``use`` do."""
    section = name.split(".")[0]
    inner = ".".join(name.split(".")[:2])
    return not {name, inner, section}.isdisjoint(_OF_METHODS) or f"{section}.use" in fs_options.options()


_OF_METHODS = {
    "federate.method", "federate.use_ss", "federate.online_aggr", "federate.share_local_model", "federate.join_in_info",
    "model.model_num_per_trainer", "aggregator", "personalization", "quantization", "trainer", "hpo", "codec",
    "llm.offsite_tuning", "course",
}  # fmt: skip


_SHORTENED = ("model.type", "data.type")
"""What may be named by a path, of which the last part is shown: it is the same wherever it lies."""


def _differing(group: list[Cell]) -> list[str]:
    unlike = _one_of_all_seeds(group)
    names = _all_differing(unlike) if len(unlike) > 1 else []
    return [name for name in names if name != "seed" and not provenance_options.is_provenance(name)]


def _one_of_all_seeds(group: list[Cell]) -> list[Cell]:
    """Return of cells that differ in their seeds alone the first: of a hundred seeds, options are compared once."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in group:
        options = {name: value for name, value in cell.fs.items() if name != "seed"}
        found.setdefault((cell.engine, repr(options)), cell)
    return [*found.values()]


def _all_differing(group: list[Cell]) -> list[str]:
    names = dict.fromkeys(name for cell in group for name in shown_options(cell))
    return [name for name in names if any(_differ(name, alike) for alike in _comparable(name, group))]


def _differ(name: str, cells: Sequence[Cell]) -> bool:
    return len({repr(option_of(cell, name)) for cell in cells}) > 1


def _comparable(name: str, group: list[Cell]) -> Iterable[Sequence[Cell]]:
    """Return the cells among which an option can differ.

    Of adapters' arguments, those of one adapter; what FederatedScope's options are to a training code of somebody's own
    is not known, so such cells differ among themselves.
    """
    if not name.startswith(_ARGUMENT):
        own = [cell for cell in group if _is_own_code(cell)]
        return [own, [cell for cell in group if not _is_own_code(cell)]] if own else [group]
    of_adapter: dict[str, list[Cell]] = {}
    for cell in group:
        of_adapter.setdefault(str(option_of(cell, ADAPTER)), []).append(cell)
    return of_adapter.values()


def _is_own_code(cell: Cell) -> bool:
    return engine_kind(cell.engine).encodes_itself


def option_of(cell: Cell, name: str) -> Any:
    """Return an option; where the cell leaves it, FederatedScope's default, and `UNSET` where there is none."""
    if name == ADAPTER or name.startswith(_ARGUMENT):
        return _of_adapter(cell, name)
    value = cell.get(name, UNSET if _is_own_code(cell) else fs_options.known().get(name, UNSET))
    if name == "federate.sample_client_rate" and value == 1:
        return fs_options.default(name)  # all clients, as without; Bulyan alone wants it said
    if name == "course.spec" and isinstance(value, Mapping) and value:
        return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]  # which of two of one name
    if name in _SHORTENED and is_place(str(value)):
        return shortened(value)  # wherever it lies
    return value


# --- adapters -------------------------------------------------------------------------------------

ADAPTER, RANK, VIRTUAL_TOKENS = "llm.adapter", f"{ARGUMENTS}.r", f"{ARGUMENTS}.num_virtual_tokens"
"""Which adapter a language model has, and two of its arguments: options of a list, each by itself."""

_ARGUMENT = f"{ARGUMENTS}."
_NO_SUCH = "–"
"""An argument that an adapter does not have, or that nobody gave it."""


def shown_options(cell: Cell) -> Iterator[str]:
    """Yield the names of a cell's options; an adapter and each of its arguments are some of their own."""
    for name, _ in fs_options.leaves(cell.fs):
        if name not in (USE, ARGUMENTS):
            yield name
    if (adapter := _adapter_in(cell)) is not None:
        yield from (ADAPTER, *(f"{_ARGUMENT}{name}" for name in adapter if name != "adapter_method"))


def _of_adapter(cell: Cell, name: str) -> Any:
    adapter = _adapter_in(cell)
    if name == ADAPTER:
        return "none" if adapter is None else adapter["adapter_method"]
    value = (adapter or {}).get(name.removeprefix(_ARGUMENT))
    return _NO_SUCH if value is None else value


def _adapter_in(cell: Cell) -> Mapping[str, Any] | None:
    """Return the arguments of a cell's adapter, None where it has none."""
    try:
        return arguments_of({name: cell.get(name, fs_options.default(name)) for name in (USE, ARGUMENTS)})
    except ConfigError:  # a fork's own, of another form
        return {"adapter_method": as_written(cell.get(ARGUMENTS))}


# --- as they are printed --------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """The value of an option: ``1`` and ``1.0`` are the same, ``1`` and ``true`` are not, and null is known to be null.

    kind: what it is. value: what is compared, of a list its text. text: how it is printed, as `as_written` has it.
    """

    kind: str
    value: Hashable
    text: str = field(compare=False)

    def __str__(self) -> str:
        return self.text


def given(values: Mapping[str, Any]) -> dict[str, Given]:
    """Return the values of one option; text that is empty, or that another kind of value is printed as, is quoted."""
    taken = {"", *(as_written(value) for value in values.values() if not isinstance(value, str))}
    return {cell: _given(value, taken) for cell, value in values.items()}


def _given(value: Any, taken: set[str]) -> Given:
    if isinstance(value, str):
        return Given("text", str(value), f'"{value}"' if value in taken else str(value))
    if isinstance(value, bool | None):
        return Given("constant", value, as_written(value))
    if isinstance(value, int | float):
        return Given("number", value, as_written(value))
    return Given("list", as_written(value), as_written(value))


def number_of(value: Any) -> float | None:
    """Return the number that a label is ordered by, None for what is none: text, and true and false."""
    value = value.value if isinstance(value, Given) else value
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_written(value: Any) -> str:
    """Return a value as FederatedScope's YAML files have it: ``true``, ``null``, ``1e-5``, ``[bn, classifier]``."""
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return re.sub(r"e\+?(-?)0*", r"e\1", repr(float(value))) if value else "0"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{as_written(key)}: {as_written(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_written, value))}]"
    return str(value)
