"""A course that is data as part of a cell: read from its file or by its name, with the sizes that were given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fscost.errors import ConfigError, nearest
from fscost.plan.plain_config import read_yaml
from fscost.plan.shapes_file import read_shapes
from fscost.protocol.course_spec import make_course, names_of_sizes, shipped
from fscost.protocol.fs_options import SIZES
from fscost.protocol.methods import BY_FEDERATE_METHOD

_LARGEST_BYTES = 10**6

BY_NAME = "spec"
"""The method that a course makes, whatever that is called."""


def with_course(flat: Mapping[str, Any], sizes: Any) -> dict[str, Any]:
    """Return options by dotted name with the content of the course that they name, and its sizes.

    `sizes` win over those of the course; a size that only other courses have is left out, as where a grid has several.
    Raises ConfigError, naming file and key, for what is no course, and for sizes that nobody has.
    """
    sizes = _all_sizes(flat, sizes)
    named, method = flat.get("course.spec"), BY_FEDERATE_METHOD.get(str(flat.get("federate.method")).lower())
    if method and method.name == BY_NAME and not named:
        raise ConfigError(f"method=spec: give course=FILE, or one of {', '.join(shipped())}")
    if not isinstance(named, str):
        spec = shipped()[method.course] if method and method.course else {}
        own = _known(spec, sizes, f"method={flat.get('federate.method')}")
        return {**flat, **_as_options(own if spec else {})}
    shown = f"course={named}"
    spec = shipped()[named] if named in shipped() else _read(Path(str(named)), shown)
    given = _known(spec, sizes, shown)
    try:
        make_course(spec, given)
    except ConfigError as error:
        raise ConfigError(f"{shown}: {error}") from error
    content = {key: value for key, value in spec.items() if key not in ("paper", "sizes")}
    return {**flat, "course.spec": content, **_as_options({**(spec.get("sizes") or {}), **given})}


def _all_sizes(flat: Mapping[str, Any], sizes: Any) -> Mapping[str, Any]:
    """Return the sizes that were given, as ``sizes.NAME`` or as ``fs.course.sizes.NAME``."""
    if not isinstance(sizes, Mapping):
        raise ConfigError(f"sizes={sizes}: sets no size; name one, as sizes.rank=8")
    own = {name: value for name, value in flat.items() if name.startswith(f"{SIZES}.")}
    return {name.removeprefix(f"{SIZES}."): value for name, value in own.items()} | dict(sizes)


def _as_options(sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{SIZES}.{name}": value for name, value in sizes.items()}


def _read(path: Path, shown: str) -> Mapping[str, Any]:
    """Return the course in a file, with the shapes that it names by files beside it."""
    if not path.exists() and not path.suffix:
        raise ConfigError(f"{shown}: no such course{nearest(str(path), shipped())}; there are {', '.join(shipped())}")
    if path.is_file() and path.stat().st_size > _LARGEST_BYTES:
        raise ConfigError(f"{shown}: is larger than 1 MB; shapes of tensors belong in a file that it names as shapes")
    spec = read_yaml("course", str(path))
    if not isinstance(spec, Mapping):
        raise ConfigError(f"{shown}: no course: expected messages, each with type, from and to")
    messages = spec.get("messages")
    inlined = [_with_shapes(one, path.parent, shown) for one in messages] if isinstance(messages, list) else messages
    return {"name": path.stem, **spec, "messages": inlined}


def _with_shapes(message: Any, folder: Path, shown: str) -> Any:
    if not isinstance(message, Mapping) or not isinstance(file := message.get("shapes"), str):
        return message
    try:
        return {**message, "shapes": dict(read_shapes(folder / file))}
    except ConfigError as error:
        raise ConfigError(f"{shown}: {error}") from error


def _known(spec: Mapping[str, Any], sizes: Mapping[str, Any], shown: str) -> dict[str, Any]:
    """Return the sizes that were given and that a course has; raises ConfigError for one that none has."""
    own = names_of_sizes(spec)
    others = {name for other in shipped().values() for name in names_of_sizes(other)} if sizes.keys() - own else own
    for name, value in sizes.items():
        if name not in own | others:
            has = ", ".join(map(str, spec.get("sizes") or {})) or "none of its own"
            raise ConfigError(f"sizes.{name}={value}: {shown} has no such size{nearest(name, own)}; it has {has}")
    return {name: value for name, value in sizes.items() if name in own}
