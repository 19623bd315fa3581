"""The one place that says how series look: a colour, dashes and a marker for each, in figures and in the report."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Look(NamedTuple):
    """A colour, the name of a dash pattern and that of a marker, as Plotly has them; styles of figures translate."""

    colour: str
    dash: str
    marker: str


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito, without yellow, which is faint on paper."""
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")

CLASSES: Mapping[str, tuple[str, str]] = {
    "training": (COLOURS[0], ""),
    "evaluation": (COLOURS[4], "/"),
    "control": (COLOURS[6], ""),
}
"""Colour and hatch of each traffic class."""

LOG, TRUE = Look(COLOURS[1], "", "circle"), Look(COLOURS[0], "", "square")
"""What FederatedScope logged, drawn hollow, and what travelled."""

_OWN = ("fedavg", "fedprox", "fedper", "fedbn", "fedopt", "ditto", "fedrep")
"""Methods that have the same look whatever else is drawn, one colour each."""


def look(number: int) -> Look:
    """Return a look by its number: the first 28 differ in colour or dashes, and with one colour in markers."""
    marker = MARKERS[(number + number // len(COLOURS)) % len(MARKERS)]
    return Look(COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)], marker)


def look_numbers(names: Mapping[str, Any]) -> dict[str, int]:
    """Return the numbers of the looks of series, from name → method.

    A method of `_OWN` has the one of its place there, so that it looks the same beside others in another figure; a
    second series of it, and any other, has the first that is left, that of FedAvg last.
    """
    found: dict[str, int] = {}
    for name, method in names.items():
        if method in _OWN and (own := _OWN.index(method)) not in found.values():
            found[name] = own
    left = [number for number in range(len(names) + len(_OWN)) if number not in found.values()]
    if found and left[0] == 0:
        left.insert(len(_OWN) - len(found), left.pop(0))
    free = iter(left)
    return {name: found[name] if name in found else next(free) for name in names}
