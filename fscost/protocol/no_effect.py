"""Options that FederatedScope accepts and that change nothing, whichever engine runs, and their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from fscost.protocol.methods import WITHOUT_MODEL
from fscost.protocol.models import names_of

if TYPE_CHECKING:
    from fscost.cells.cell import Cell  # which no Python 3.8 can import

QUANTIZATION, LOCAL_PARAM = "quantization.method", "personalization.local_param"


def is_quantised(name: str) -> bool:
    """Return whether uniform quantisation touches this entry of a state_dict: it goes by the name alone."""
    return name.endswith(".weight") and ("fc" in name or "conv" in name)


def without_effect(
    names: Iterable[str], local_param: Iterable[str], quantization: str, method: str = ""
) -> Iterator[str]:
    """Yield a line for each such option; `names` are those of the state_dict.

    `local_param` and `quantization` are the values of ``personalization.local_param`` and ``quantization.method``,
    `method` is ``federate.method``.
    """
    names = list(names)
    if not names:
        return
    if quantization != "none" and method.lower() in WITHOUT_MODEL:
        yield f"{QUANTIZATION}={quantization} quantised nothing: with federate.method={method} no model is sent"
    elif quantization != "none" and not any(is_quantised(name) for name in names):
        yield (
            f"{QUANTIZATION}={quantization} quantised nothing: FederatedScope does so only for weights of layers "
            "with fc or conv in their name"
        )
    for keyword in local_param:
        if not any(keyword in name for name in names):
            yield f"{LOCAL_PARAM}: {keyword} is in no name of the state_dict, so it keeps nothing local"


_LINES = {
    QUANTIZATION: re.compile(r"quantization\.method=(.+?) quantised nothing\b"),
    LOCAL_PARAM: re.compile(r"personalization\.local_param: (.+) is in no name of the state_dict\b"),
}


def useless_words(option: str, lines: Iterable[str]) -> set[str]:
    """Return which words of an option changed nothing, as lines of `without_effect` say, of any release."""
    found = (_LINES[option].match(line) for line in lines)
    return {match[1] for match in found if match}


WORDS = {QUANTIZATION: "quantised nothing", LOCAL_PARAM: "kept nothing local"}
"""Option → what it did where it had no effect."""

_PARTS = {QUANTIZATION: r"quant\d+", LOCAL_PARAM: r"fedbn|fedper|fedrep|local:.*"}
"""Option → the part of a method's name that it makes."""


def no_effect_of(cell: Cell, warnings: Iterable[str] = ()) -> str | None:
    """Return the options of a cell that change nothing, with their values, as ``quantization.method=uniform``.

    `warnings` are those of its run; of models that are known it is known without one. An option that did something is
    none, though one of its words may be in no name, nor is one that makes no part of the method.
    """
    lines = [*warnings, *_beforehand(cell)]
    found = {option: useless_words(option, lines) for option in WORDS}
    asked = {QUANTIZATION: [str(cell.get(QUANTIZATION, "none"))], LOCAL_PARAM: _words(cell.get(LOCAL_PARAM))}
    useless = [o for o in WORDS if asked[o] and found[o] >= {*asked[o]} and part_of(cell.axes["method"], o)]
    return "; ".join(f"{option}={','.join(asked[option])}" for option in useless) or None


def options_in(no_effect: Any) -> tuple[str, ...]:
    """Return the options that `no_effect_of` named; nothing for what is no text, as where there were none."""
    return tuple(option for option in WORDS if isinstance(no_effect, str) and f"{option}=" in no_effect)


def part_of(method: str, option: str) -> str:
    """Return the part of a method's name that an option makes, nothing where none is called after it."""
    return next((part for part in method.split("+") if re.fullmatch(_PARTS[option], part)), "")


def in_words(cell: Cell, warnings: Iterable[str] = ()) -> list[str]:
    """Return what of a cell's method changes nothing, as ``quant8 quantised nothing in mlp_m``."""
    axes = cell.axes
    return [
        f"{part_of(axes['method'], option)} {WORDS[option]} in {axes['model']}"
        for option in options_in(no_effect_of(cell, warnings))
    ]


def _beforehand(cell: Cell) -> list[str]:
    """Return what will be said of a cell once it runs, nothing for a model that is not known."""
    if cell.get("vertical.use"):
        return []
    names = names_of(str(cell.get("model.type")), cell.get("model.layer", 2))
    method, quantization = str(cell.get("federate.method")).lower(), str(cell.get(QUANTIZATION, "none"))
    return [*without_effect(names, _words(cell.get(LOCAL_PARAM)), quantization, method=method)]


def _words(value: Any) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list | tuple) else []
