"""Cells of engine=command: what its template uses of a configuration, and nothing that the command cannot know."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hydra.core.override_parser.types import Override

from fscost.cells.cell import AXES, Cell
from fscost.cells.command_template import OPTIONS, option_of_name, placeholders, split, words_of
from fscost.cells.engine_kinds import engine_kind
from fscost.errors import ConfigError
from fscost.files import digest_of
from fscost.plan.hydra_config import WORDS, config_of
from fscost.plan.plain_config import Tree, resolved
from fscost.protocol.fs_options import leaves, nested

UNNAMED = "own"
"""What a method, a model or data are called that nobody named."""

_NOT_OF_CELLS = re.compile(
    r"(store|out|retries|fail_fast|grid|sweeps|config_dir|(engine|table|network)(\..*)?|hydra[./].*)"
)


def command_cell(config: Tree, parsed: list[Override], engine: str, protocol: str) -> Cell:
    """Return the cell of a command: its axes, what its template names, the template and the watched files' content.

    Raises ConfigError for what is given and not in the template, and for what is there and has no value.
    """
    template, shell = resolved(config, "engine.command") or "", resolved(config, "engine.shell")
    if not isinstance(template, str) or not isinstance(shell, bool):
        raise ConfigError(f"engine.command={template} engine.shell={shell}: must be a text, and true or false")
    split(template)
    axes, values = _axes(config, parsed), _values(config)
    names = placeholders(template, values | axes)
    values |= axes
    if problems := [*_unseen(parsed, names), *_no_words(names, values)]:
        raise ConfigError(*problems)
    flat = {option_of_name(name): values[name] for name in [*axes, *names]} | {"command.template": template}
    if watched := _watched(resolved(config, "engine.watch")):
        flat["command.watch"] = watched
    if shell:
        flat["command.shell"] = True
    return Cell(engine=engine, protocol=protocol, fs=nested(dict(sorted(flat.items()))))


def _values(config: Tree) -> dict[str, Any]:
    """Return what a template can name, with its value."""
    options = {f"fs.{name}": value for name, value in leaves(resolved(config, "fs"))}
    short = {name: options[f"fs.{option}"] for name, option in OPTIONS.items() if f"fs.{option}" in options}
    return short | {f"args.{name}": value for name, value in _leaves(resolved(config, "args"))} | options


def _axes(config: Tree, parsed: list[Override]) -> dict[str, Any]:
    """Return method, model and data as their words, those that nobody chose as `UNNAMED`, and the numbers."""
    chosen, usual = (one["hydra"]["runtime"]["choices"] for one in (config, config_of([])))
    template, named = str(resolved(config, "engine.command")), {override.key_or_group for override in parsed}
    words = {
        name: str(chosen[name])
        if name in named or chosen[name] != usual[name] or f"{{{name}}}" in template
        else UNNAMED
        for name in WORDS
    }
    return words | {name: resolved(config, name) for name in AXES if name not in WORDS}


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _unseen(parsed: Iterable[Override], names: list[str]) -> Iterator[str]:
    """Yield what is given and cannot reach the command."""
    for override in parsed:
        key = override.key_or_group
        if key in (*AXES, *names) or _NOT_OF_CELLS.fullmatch(key):
            continue
        if key.startswith("codec."):
            yield (
                f"{override.input_line}: what a command sends is its own; engine=builtin trains with codecs, "
                "engine=estimate counts them"
            )
        elif key in OPTIONS or key.startswith(("args.", "fs.")):
            yield f"{key}: engine.command has no {{{key}}}, so that the command could not know it; write it in"
        else:
            yield f"{override.input_line}: has no effect with engine=command; its arguments are args.NAME=VALUE"


def _no_words(names: Iterable[str], values: Mapping[str, Any]) -> Iterator[str]:
    for name in names:
        if not isinstance(values[name], str | int | float):
            yield f"{name}={values[name]}: must be one value, which {{{name}}} in engine.command is replaced by"


def _watched(files: Any) -> list[str]:
    """Return the files with digests of their content; raises ConfigError for one that cannot be read."""
    listed = [files] if isinstance(files, str) else files or []
    if not isinstance(listed, list):
        raise ConfigError(f"engine.watch={files}: must be a list of files, as [train.py]")
    return [f"{file} {_digest(str(file))}" for file in sorted({*map(str, listed)})]


def _digest(file: str) -> str:
    try:
        return digest_of(file)[:12]
    except OSError as error:
        raise ConfigError(
            f"engine.watch={file}: cannot be read: {error.strerror}; name a file of the command"
        ) from error


def refuse_unknowing(cells: Iterable[Cell]) -> None:
    """Refuse cells of one and the same command: it could not know in what they differ."""
    found: dict[str, Cell] = {}
    for cell in cells:
        if not engine_kind(cell.engine).takes_any_word:
            continue
        first = found.setdefault(repr([words_of(cell), cell.get("command.watch")]), cell)
        if first.id != cell.id:
            axes = [axis for axis in AXES if first.axes[axis] != cell.axes[axis]]
            values = " ".join(f"{axis}={first.axes[axis]},{cell.axes[axis]}" for axis in axes)
            missing = " ".join(f"{{{axis}}}" for axis in axes)
            raise ConfigError(
                f"{values}: engine.command has no {missing}, so that the command could not know it; write it "
                "in, or give one value"
            )
