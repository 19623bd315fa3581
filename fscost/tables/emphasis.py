"""Which numbers are the best, and the second best, of those they are compared with."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from fscost.tables.marks import is_unreached
from fscost.tables.numbers import Style
from fscost.tables.table import Emphasis, Entry


def emphasised(
    entries: Sequence[Entry], groups: Sequence[Hashable], style: Style, better: str, *, with_second: bool
) -> list[Entry]:
    """Return the entries, the best of each group emphasised; `better` is ``lower``, ``higher`` or nothing.

    What is printed alike ties, and estimates that differ by less than their error. Where all are alike none is the
    best, nor where a number is not known or still to come.
    """
    if not better:
        return [*entries]
    members: dict[Hashable, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    found: dict[int, Emphasis] = {}
    for own in members.values():
        found |= _of_group({n: entries[n] for n in own}, style, better, with_second=with_second)
    return [replace(entry, emphasis=found.get(number, "")) for number, entry in enumerate(entries)]


def _of_group(group: Mapping[int, Entry], style: Style, better: str, *, with_second: bool) -> dict[int, Emphasis]:
    if any(entry.mark and not is_unreached(entry.text) for entry in group.values()):
        return {}
    printed = {n: _printed(entry, style) for n, entry in group.items() if not entry.mark}
    ranks = sorted(set(printed.values()), reverse=better == "higher")
    if ranks and style.tolerance:
        exact = {
            n: group[n].value / style.scale for n in printed
        }  # printed with two decimals, 1 % is a matter of rounding
        top = max(exact.values()) if better == "higher" else min(exact.values())
        alike = style.tolerance * abs(top - style.tied_from)
        printed = {n: ranks[0] if abs(exact[n] - top) <= alike else value for n, value in printed.items()}
        ranks = sorted(set(printed.values()), reverse=better == "higher")
    if len(ranks) + any(entry.mark for entry in group.values()) < 2:
        return {}
    names: dict[float, Emphasis] = {ranks[0]: "best"} if ranks else {}
    if with_second and len(ranks) > 1:
        names[ranks[1]] = "second"
    return {n: names[value] for n, value in printed.items() if value in names}


def _printed(entry: Entry, style: Style) -> float:
    """Return the number as it is printed; one that is only below the last decimal is no 0."""
    if entry.text.startswith(("<", ">")):
        return math.copysign(10.0**-style.decimals / 2, entry.value)
    return float(round(entry.value / style.scale, style.decimals))
