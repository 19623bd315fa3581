"""From a user's file of shapes, or a number of parameters, to the option that holds a model known only by these."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fscost.errors import ConfigError
from fscost.plan.read import read_yaml


def spec_of(shapes: Any, parameters: Any, lora_rank: Any) -> dict[str, Any]:
    """Return ``fs.model.spec`` of the knobs of ``model=spec``; a rank wins over the file's own.

    The content of the file becomes part of the cell, so that its id does not depend on a path. Raises ConfigError for
    a file that cannot be read, and unless exactly one of `shapes` and `parameters` is given.
    """
    if (shapes is None) == (parameters is None):
        given = "" if shapes is None else f" shapes={shapes} and parameters={parameters}:"
        raise ConfigError(f"model=spec:{given} give either shapes=FILE or parameters=COUNT")
    spec = {"name": f"params_{parameters}", "parameters": parameters} if shapes is None else {**read_shapes(shapes)}
    return spec if lora_rank is None else spec | {"lora_rank": lora_rank}


@cache
def read_shapes(path: Any) -> Mapping[str, Any]:
    """Read a spec, or a mapping from names to shapes, as YAML or JSON; its name is the file's unless it has one."""
    tree = read_yaml("shapes", str(path))
    if not isinstance(tree, dict) or not tree:
        raise ConfigError(f"shapes={path}: no spec of a model: expected tensors with their shapes, or parameters")
    spec = {"tensors": tree} if all(_is_tensor(value) for value in tree.values()) else tree
    return {"name": Path(str(path)).stem} | spec


def _is_tensor(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and isinstance(value.get("shape"), list))
