"""A file with the shapes of a model's tensors, or the folder of a language model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fscost.errors import ConfigError
from fscost.plan.plain_config import read_yaml
from fscost.protocol.pretrained import spec_in


def read_shapes(path: Any) -> Mapping[str, Any]:
    """Read a spec, or a mapping from names to shapes, as YAML or JSON; its name is the file's unless it has one.

    A folder of a language model, or its ``config.json``, is one too.
    """
    if Path(str(path)).is_dir():
        return spec_in(Path(str(path)), f"shapes={path}")
    tree = read_yaml("shapes", str(path))
    if isinstance(tree, dict) and "model_type" in tree:
        return spec_in(Path(str(path)), f"shapes={path}")
    if not isinstance(tree, dict) or not tree:
        raise ConfigError(f"shapes={path}: no spec of a model: expected tensors with their shapes, or parameters")
    shapes = (value.get("shape") if isinstance(value, dict) else value for value in tree.values())
    spec = {"tensors": tree} if all(isinstance(shape, list) for shape in shapes) else tree
    return {"name": Path(str(path)).stem} | spec
