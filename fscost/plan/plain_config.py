"""Configurations as plain dicts: values are laid over them, and their interpolations resolved.

OmegaConf can do both, in milliseconds per cell; a grid has thousands of cells. Where its grammar is used beyond plain
references and calls of resolvers, as in ``${.relative}``, and where anything is wrong, it is asked after all.
"""

import re
from functools import lru_cache
from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fscost.errors import ConfigError
from fscost.files import text_of, why
from fscost.plan.bounds import bounded, spend
from fscost.protocol.fs_options import leaves, nested
from fscost.yaml_text import NoYaml, load

Tree = dict[str, Any]

_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*(?:\.\w+)*)\}")
_CALL = re.compile(r"\$\{(?:fscost\.\w+|oc\.env):")  # others may look at the whole configuration, as oc.select does


class _NotSimple(Exception):
    """An interpolation, or what it refers to, that only OmegaConf understands."""


def read_yaml(knob: str, path: str) -> Any:
    """Return the content of the YAML or JSON file that a knob names; raises ConfigError with knob, file and line."""
    try:
        return load(text_of(path, MOST_BYTES))
    except OSError as error:
        raise ConfigError(f"{knob}={path}: cannot be read: {why(error)}") from error
    except NoYaml as error:
        raise ConfigError(f"{knob}={path}:{error.line}: no YAML: {error}") from error


MOST_BYTES = 2**23
"""What a configuration may have at most; they have some kB."""


def has(tree: Any, key: str) -> bool:
    """Return whether a tree has a dotted key."""
    first, _, rest = key.partition(".")
    return isinstance(tree, dict) and first in tree and (not rest or has(tree[first], rest))


def with_value(tree: Any, key: str, value: Any) -> Tree:
    """Return a tree with another value at a dotted key; mappings are merged, the given tree stays as it is."""
    first, _, rest = key.partition(".")
    below: Tree = tree if isinstance(tree, dict) else {}
    before = below.get(first)
    return below | {first: with_value(before, rest, value) if rest else merged(before, value)}


def merged(before: Any, value: Any) -> Any:
    """Return `value` laid over `before`: mappings are merged, anything else takes its place, unless it is ``???``."""
    if not isinstance(before, dict) or not isinstance(value, dict):
        return value
    known = {key: item for key, item in value.items() if item != "???" or key not in before}
    return before | {key: merged(before.get(key), item) for key, item in known.items()}


def resolved(config: Tree, section: str) -> Any:
    """Return a section, a dotted name, with all interpolations resolved; raises OmegaConf's errors."""
    with bounded():
        try:
            return _resolved(_at(config, section), config)
        except (_NotSimple, OmegaConfBaseException, RecursionError):
            pass  # OmegaConf knows better, or what to say
        found = OmegaConf.select(OmegaConf.create(config), section, throw_on_missing=True)
        return OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found


def of_environment(config: Tree) -> tuple[str, ...]:
    """Return the options of a cell whose values are of environment variables, by themselves or by a knob."""
    knobs = {
        key for key, value in config.items() if key != "store" and isinstance(value, str) and _ENVIRONMENT in value
    }
    cell = {"fs": config["fs"], "args": config.get("args"), "engine": {"command": config["engine"].get("command")}}
    if not knobs and _ENVIRONMENT not in str(cell):
        return ()
    texts = ((name, str(value)) for name, value in leaves(cell))
    return tuple(name for name, text in texts if _ENVIRONMENT in text or knobs & {*_REFERENCE.findall(text)})


_ENVIRONMENT = "${oc.env:"


def _resolved(node: Any, config: Tree) -> Any:
    spend(1)
    if isinstance(node, dict):
        return {key: _resolved(value, config) for key, value in node.items()}
    if isinstance(node, list):
        return [_resolved(value, config) for value in node]
    if not isinstance(node, str) or "${" not in node:
        return node
    names = _REFERENCE.findall(node)
    if node.count("${") != len(names) + len(_CALL.findall(node)) or "\\" in node:
        raise _NotSimple
    values = [_resolved(_at(config, name), config) for name in names]
    return values[0] if _REFERENCE.fullmatch(node) else _computed(node, tuple(names), *values)


def _at(config: Tree, name: str) -> Any:
    node: Any = config
    for section in name.split("."):
        if not isinstance(node, dict) or section not in node or node[section] == "???":
            raise _NotSimple
        node = node[section]
    return node


def _computed(text: str, names: tuple[str, ...], *values: Any) -> Any:
    if any(isinstance(value, dict | list) or "${" in str(value) for value in values):
        raise _NotSimple
    spend(sum(len(str(value)) for value in values))
    return computed(text, names, *values)


@lru_cache(maxsize=None, typed=True)  # 1 and 1.0 are not the same to a resolver
def computed(text: str, names: tuple[str, ...], *values: Any) -> Any:
    """Return what OmegaConf makes of a text that refers to these names with these values."""
    config = OmegaConf.create(nested(dict(zip(names, values, strict=True))) | {"text": text})
    return cast(Tree, OmegaConf.to_container(config, resolve=True))["text"]
