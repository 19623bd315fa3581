"""From a composed configuration to the FederatedScope options of one cell."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from hydra.core.override_parser.types import Override

from fscost.cells.cell import Cell
from fscost.cells.engine_kinds import engine_kind
from fscost.errors import ConfigError
from fscost.plan.client_config import client_leaves
from fscost.plan.command_cell import command_cell
from fscost.plan.course_file import with_course
from fscost.plan.hydra_config import GROUPS, raw_file
from fscost.plan.plain_config import Tree, read_yaml, resolved
from fscost.plan.shapes_file import read_shapes
from fscost.protocol import fs_options
from fscost.protocol.codecs import without_unread
from fscost.protocol.datasets import are_of_one_source, type_of
from fscost.protocol.known_options import KnownOptions
from fscost.protocol.pretrained import is_language_model, spec_of_type


def cell_from(config: Tree, parsed: list[Override], engine: str, protocol: str, options: KnownOptions) -> Cell:
    """Return the cell of one configuration; `parsed` are the overrides that made it, `options` what may be asked.

    With ``fs_config`` that file is the base, and only the options that the overrides name are laid over it.
    What is in ``fs_client_config`` is of single clients.
    """
    if engine_kind(engine).takes_any_word:
        return command_cell(config, parsed, engine, protocol)
    for override in parsed:
        _check_given(override, engine, options)
    tree = resolved(config, "fs")
    if not isinstance(tree, dict):
        raise ConfigError(f"fs={tree}: sets no option; name one, as fs.train.optimizer.lr=0.1")
    flat = dict(fs_options.leaves(tree))
    if (path := resolved(config, "fs_config")) is not None:
        file = _file_leaves(str(path), options)
        flat = {**options.deviating, **file, **{name: flat[name] for name in _named(config, parsed, flat, file)}}
    flat = with_course(flat, resolved(config, "sizes"))
    if engine_kind(engine).has_interpreter and (course := flat.get("course.spec")):
        raise ConfigError(f"method={course['name']}: is a course, which nothing trains; engine=estimate counts it")
    _check_all(flat, options, config, parsed)
    if not engine_kind(engine).trains and is_language_model(flat.get("model.type")):
        flat = _by_its_sizes(flat)
    if (path := resolved(config, "fs_client_config")) is not None:
        flat |= client_leaves(str(path), engine, options, flat.get("federate.client_num"))
    return Cell(engine=engine, protocol=protocol, fs=fs_options.nested(fs_options.sparse(without_unread(flat))))


def _check_given(override: Override, engine: str, options: KnownOptions) -> None:
    """Refuse what an engine with options of FederatedScope does not know."""
    key = override.key_or_group
    if key.startswith("args."):
        raise ConfigError(f"{override.input_line}: has no effect with engine={engine}; engine=command takes it")
    if key.startswith("fs."):
        options.check_name(key.removeprefix("fs."))


def _check_all(flat: Mapping[str, Any], options: KnownOptions, config: Tree, parsed: list[Override]) -> None:
    """Refuse what `options` refuses, in the words that were given: ``clients=ten`` and not what is made from it."""
    try:
        options.check_all(flat)
    except ConfigError as error:
        given = {name: o.key_or_group for o in parsed for name in _made_from(config, {o.key_or_group})}
        raise ConfigError(*(_in_given_words(str(problem), given) for problem in error.args)) from error


def _in_given_words(problem: str, given: Mapping[str, str]) -> str:
    found = re.fullmatch(r"fs\.(\S+?)=(.*): expected (\w+), as .*", problem, re.DOTALL)
    if found is None or found[1] not in given:
        return problem
    value = found[2][1:-1] if found[2][:1] == found[2][-1:] == "'" else found[2]
    return f"{given[found[1]]}={value}: must be {_KINDS.get(found[3], found[3])}"


_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text", "list": "a list"}


def _by_its_sizes(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the sizes of the language model that they name, which reads no other of a model."""
    others = {name: value for name, value in flat.items() if not name.startswith("model.")}
    return {**others, "model.type": "spec", "model.spec": spec_of_type(flat["model.type"])}


def _file_leaves(path: str, options: KnownOptions) -> dict[str, Any]:
    """Read a FederatedScope YAML; raises ConfigError naming the file for one that is none."""
    tree = read_yaml("fs_config", path)
    if not isinstance(tree, dict):
        raise ConfigError(f"fs_config={path}: no FederatedScope configuration: expected sections with options")
    for problem in [*_other_files(tree), *_bad_keys(tree)]:
        raise ConfigError(f"fs_config={path}: {problem}")
    flat = options.read(dict(fs_options.leaves(tree)))
    options.check_all(flat, shown=f"fs_config={path}: ")
    return flat


def _other_files(tree: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what else a file is that lies beside FederatedScope's configurations."""
    dotted = all("." in str(key) and isinstance(value, Mapping | list) for key, value in tree.items())
    if tree and (dotted or all(re.fullmatch(r"arm\d+", str(key)) for key in tree)):
        yield (
            "is the search space of hyperparameters that FederatedScope's hpo.py tries (hpo.ss), no configuration; "
            "give the file that names it, or the values as axes, as fs.train.optimizer.lr=0.01,0.1"
        )
    if tree and all(re.fullmatch(r"client(_group)?_\d+", str(key)) for key in tree):
        yield "has options of single clients, no configuration; give it as fs_client_config=FILE beside fs_config=FILE"


def _bad_keys(tree: Mapping[Any, Any], section: str = "") -> Iterator[str]:
    """Yield which keys are no names of options: below an open section they could be anything."""
    for key, value in tree.items():
        if not isinstance(key, str) or "." in key:
            yield f"{section}{key!r}: an option has a name without dots; write a section for each part of it"
        elif isinstance(value, Mapping):
            yield from _bad_keys(value, f"{section}{key}.")


def _named(config: Tree, parsed: list[Override], flat: Mapping[str, Any], file: Mapping[str, Any]) -> list[str]:
    """Return the options that the command line names: by themselves, by a group, or by a knob they are made from."""
    chosen = [o for o in parsed if o.key_or_group in GROUPS and o.value() is not None]
    own = [raw_file(f"{o.key_or_group}/{o.value()}") for o in chosen]
    of_groups = {name for option in own for name, _ in fs_options.leaves(option.get("fs", {}))}
    sections = tuple(o.key_or_group.removeprefix("fs.") for o in parsed if o.key_or_group.startswith("fs."))
    by_itself = {name for name in flat if name in sections or name.startswith(tuple(f"{s}." for s in sections))}
    sweep = {key for o in chosen if o.key_or_group == "sweeps" for key in raw_file(f"sweeps/{o.value()}")}
    of_knobs = set(_made_from(config, sweep | {o.key_or_group for o in parsed}))
    brought = {key for option in own for key in option if key != "fs"} - sweep
    of_options = {name for name in _made_from(config, brought) if _is_brought(name, flat, file)}
    return [name for name in flat if name in of_groups | by_itself | of_knobs | of_options]


def _made_from(config: Tree, knobs: set[str]) -> list[str]:
    """Return the options whose value is an interpolation of one of these knobs."""
    raw = fs_options.leaves(config["fs"])
    return [
        name
        for name, value in raw
        if any(f"${{{knob}}}" in str(value) or f"${{{knob}." in str(value) for knob in knobs)
    ]


def _is_brought(name: str, flat: Mapping[str, Any], file: Mapping[str, Any]) -> bool:
    """Return whether a choice brings this option to the file: a model says in which form, and how large, it takes data.

    It says so of the data that the file has, never which data those are; and a size that the file has stays.
    """
    if "data.type" not in file:
        return name not in file
    one_source = are_of_one_source(file["data.type"], flat.get("data.type"))
    return one_source and (name == "data.type" or name not in file)


def resolvers() -> dict[str, Callable[..., Any]]:
    """Return what options call in ``${fscost.NAME:…}``; a file of shapes is read once by what is returned."""
    read = cache(read_shapes)
    return {
        "splitter_for": lambda alpha: "iid_fixed" if alpha is None else "lda",
        "splitter_args_for": lambda alpha: [] if alpha is None else [{"alpha": _alpha(alpha)}],
        "spec_of": lambda shapes, parameters, rank, is_adapted: spec_of(shapes, parameters, rank, is_adapted, read),
        "rank_of": lambda rank, is_adapted: None if is_adapted else rank,  # where an adapter has the rank already
        "type_of": type_of,
        "data_args_for": lambda resize: [] if resize is None else [{"resize": resize}],
    }


def _alpha(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ConfigError(f"alpha={value}: must be a number above 0, or null for an iid split")
    return float(value)


def spec_of(
    shapes: Any, parameters: Any, lora_rank: Any, is_adapted: Any, read: Callable[[Any], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return ``fs.model.spec`` of the knobs of ``model=spec``; a rank wins over the file's own.

    Where FederatedScope adapts the model (``fs.llm.adapter.use``), the rank is the adapter's and none of the spec.

    The content of the file becomes part of the cell, so that its id does not depend on a path. Raises ConfigError for
    a file that cannot be read, and unless exactly one of `shapes` and `parameters` is given.
    """
    if (shapes is None) == (parameters is None):
        given = "" if shapes is None else f" shapes={shapes} and parameters={parameters}:"
        raise ConfigError(f"model=spec:{given} give either shapes=FILE or parameters=COUNT")
    spec = {"name": f"params_{parameters}", "parameters": parameters} if shapes is None else {**read(shapes)}
    return spec if lora_rank is None or is_adapted else spec | {"lora_rank": lora_rank}
