"""Methods that had no effect, where they are shown: a mark at the row, and what it means."""

from collections.abc import Iterable, Iterator, Mapping

from fscost.protocol.no_effect import WORDS, options_in, part_of
from fscost.tables.lines import Run
from fscost.tables.marks import NO_EFFECT
from fscost.tables.spec import TableSpec
from fscost.tables.table import Note


def said(runs: Iterable[Run], spec: TableSpec) -> Iterator[str]:
    """Yield what did nothing, with the models in which: ``8-bit weights: quantised nothing in MLP-16, MLP-64``."""
    for (part, option), models in _found(runs).items():
        yield f"{spec.label(part)}: {WORDS[option]} in {', '.join(spec.label(model) for model in models)}"


def _found(runs: Iterable[Run]) -> Mapping[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for run in runs:
        for option in options_in(run.get("no_effect")):
            part = part_of(str(run["method"]), option)
            found.setdefault((part, option), {})[str(run["model"])] = None
    return {what: [*models] for what, models in found.items()}


def note(runs: Iterable[Run], spec: TableSpec) -> Iterator[Note]:
    """Yield what the mark means, nothing where no run has one."""
    if texts := [*said(runs, spec)]:
        yield Note(NO_EFFECT.sign, f"{NO_EFFECT.meaning}: {'; '.join(texts)}")


def words(runs: Iterable[Run], spec: TableSpec) -> dict[str, list[str]]:
    """Return what did nothing in words, ``quantised nothing``, with the labels of the models in which."""
    found: dict[str, list[str]] = {}
    for (_, option), models in _found(runs).items():
        found.setdefault(WORDS[option], []).extend(spec.label(model) for model in models)
    return found
