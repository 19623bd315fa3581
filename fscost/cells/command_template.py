"""The command that a cell of engine=command runs: its template, and the values that stand in it."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fscost.cells.cell import Cell
from fscost.errors import ConfigError, nearest

OPTIONS: Mapping[str, str] = {
    "method": "federate.method",
    "model": "model.type",
    "data": "data.type",
    "clients": "federate.client_num",
    "rounds": "federate.total_round_num",
    "seed": "seed",
    "clients_per_round": "federate.sample_client_num",
    "lr": "train.optimizer.lr",
    "local_steps": "train.local_update_steps",
    "local_unit": "train.batch_or_epoch",
    "batch_size": "dataloader.batch_size",
    "patience": "early_stop.patience",
    "eval_every": "eval.freq",
}
"""What can stand in a template, by name, with the option of a cell that it is; beside these ``args.…`` and ``fs.…``."""

_PARTS = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_OWN = re.compile(r"(args|fs)(\.\w+)+")


def placeholders(template: str, known: Mapping[str, Any]) -> list[str]:
    """Return the names in a template's ``{…}``; `known` are those that there are for this cell.

    Raises ConfigError for a name that nobody knows, with the nearest, for a brace alone and for an open quote.
    """
    names = [name for name, _ in _names(template) if name]
    for name in names:
        if name not in known and not _OWN.fullmatch(name):
            choices = [*(one for one in known if not one.startswith("fs.")), "args.NAME", "fs.OPTION"]
            raise ConfigError(
                f"engine.command: there is no {{{name}}}{nearest(name, known)}; there are {', '.join(choices)}, "
                "and {{ is a brace"
            )
        if name not in known:
            raise ConfigError(f"engine.command: {{{name}}} has no value; give {name}=VALUE{nearest(name, known)}")
    return names


def _names(template: str) -> Iterator[tuple[str, str]]:
    for found in _PARTS.finditer(template):
        if found[0] in ("{", "}"):
            raise ConfigError(
                f"engine.command: a single {found[0]} at {template[found.start() :]!r}; a brace is {found[0] * 2}"
            )
        if found[0] not in ("{{", "}}") and not found[1]:
            raise ConfigError("engine.command: {} names nothing; write {seed}, or {{}} for the braces")
        yield found[1] or "", found[0]


def option_of_name(name: str) -> str:
    """Return the option of a cell that a name in a template stands for."""
    return OPTIONS.get(name) or (name[3:] if name.startswith("fs.") else name)


def words_of(cell: Cell) -> list[str]:
    """Return the arguments that a cell's command is started with: the template's, each filled in as one.

    A value stays within its argument, whatever signs it has. By a shell it stands in quotes.
    """
    template = str(cell.get("command.template"))
    if cell.get("command.shell"):
        return ["/bin/sh", "-c", _filled(template, cell, shlex.quote)]
    return [_filled(word, cell, str) for word in split(template)]


def split(template: str) -> list[str]:
    """Return the arguments of a template; raises ConfigError where there are none, or a quote is not closed."""
    try:
        words = shlex.split(template)
    except ValueError as error:
        raise ConfigError(f"engine.command={template}: {str(error).lower()}") from error
    if not words:
        raise ConfigError("engine=command: needs a command, as engine.command='python train.py --seed {seed}'")
    return words


def _filled(text: str, cell: Cell, quoted: Callable[[str], str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        return quoted(as_argument(cell.get(option_of_name(found[1]))))

    return _PARTS.sub(value, text)


def as_argument(value: Any) -> str:
    """Return a value as it stands in a command: ``true``, ``0.1``, ``a text``."""
    return str(value).lower() if isinstance(value, bool) else str(value)
