"""Python values as overrides: the keywords of the door are the words of the command line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from typing import Any, TypedDict

from fscost.errors import ConfigError
from fscost.plan.hydra_config import quoted


class TableSettings(TypedDict, total=False):
    """The settings of a table by keyword, as `conf/table/shared/layout.yaml` explains them; what is left out is as the
    layout has it.

    target: as it is logged, 0.9 for an accuracy of 90 %. labels: what values are called in print,
    ``{"mlp_s": "MLP-16"}``; None takes a label away. columns: quantities, or mappings with settings of their own, as
    ``{"quantity": "total", "unit": "GiB"}``.
    """

    name: str
    title: str | Mapping[str, str]
    caption: str | Mapping[str, str]
    rows: Sequence[str]
    columns: Sequence[str | Mapping[str, Any]]
    show: Sequence[str | Mapping[str, Any]]
    hide: Sequence[str]
    most_options: int
    across: str | None
    above: str
    sections: str | None
    transpose: bool
    compare: str
    baseline: str | None
    order: str
    only: Mapping[str, Sequence[Any]]
    top: int | None
    cited: str | Sequence[str] | None
    traffic: str
    measure: str
    metric: str
    better: str | None
    target: float
    aggregate: str
    unit: str
    precision: int
    decimals: int | None
    seeds: str
    best: bool | str
    test: str
    alpha: float
    correction: str
    second: bool
    ours: Sequence[str]
    notes: str
    provenance: str
    footnotes: Sequence[Mapping[str, Any]]
    needs_network: bool
    template: str
    page: str
    venue: str
    float: str
    labels: Mapping[Any, str | Mapping[str, str] | None]


def table_overrides(
    layout: str | PathLike[str] | None, network: Mapping[str, Any] | None, settings: Mapping[str, Any]
) -> Iterator[str]:
    """Yield overrides for a layout (a name in conf/table, or a YAML file), the clients' link, and settings of a table.

    Raises ConfigError for a value that no override can have.
    """
    if layout is not None:
        yield f"table={_path('layout', layout)}"
    for key, value in _mapping("network", network).items():
        yield f"network.{key}={written(f'network.{key}', value)}"
    for key, value in settings.items():
        if key not in ("labels", "only"):
            yield f"table.{key}={written(f'table.{key}', value)}"
    for name, values in _mapping("only", settings.get("only")).items():
        yield f"table.only.{name}={written(f'table.only.{name}', values)}"
    for name, text in _mapping("labels", settings.get("labels")).items():
        key = _label(name)
        if not key or "=" in key:
            raise ConfigError(f"labels={{{name!r}: …}}: a label is of a value or a key without = in it")
        yield f"table.labels.{key}={_label_text(key, text)}"


def _label_text(key: str, text: Any) -> str:
    if text is None:
        return "null"
    return written(f"labels.{key}", text) if isinstance(text, Mapping) else _quoted(str(text))


def store_override(store: str | PathLike[str] | None) -> list[str]:
    """Return the override that names a store, none for None."""
    return [] if store is None else [f"store={written('store', _path('store', store))}"]


def _path(name: str, value: Any) -> str:
    if not isinstance(value, str | PathLike):
        raise ConfigError(f"{name}={value!r}: must be text or a path")
    return fspath(value)


def _mapping(name: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping | None):
        raise ConfigError(f"{name}={value!r}: must be a mapping")
    return value or {}


def _label(name: Any) -> str:
    """Return what a label is of as options have it: in YAML ``True`` is ``true``."""
    return {True: "true", False: "false", None: "null"}[name] if isinstance(name, bool | None) else str(name)


def written(key: str, value: Any) -> str:
    """Return a value as it stands in an override: text that is no plain word is quoted, so that it means nothing else.

    Takes text, numbers (numpy's too), True, False, None, paths, and lists and mappings of them; raises ConfigError for
    anything else.
    """
    if isinstance(value, bool | None):
        return _label(value)
    if isinstance(value, str | PathLike):
        return _quoted(re.sub(r"(\\*)\$\{", r"\1\1\\${", fspath(value)))  # no interpolation
    if isinstance(value, int | float):
        return repr(float(value)) if isinstance(value, float) else str(int(value))
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_key(key, name)}:{written(key, item)}' for name, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(written(key, item) for item in value)}]"
    if callable(number := getattr(value, "item", None)) and not getattr(value, "shape", None):
        return written(key, number())
    raise ConfigError(f"{key}={value!r}: must be text, a number, True, False, None, or a list or mapping of these")


_WORD = re.compile(r"(?!(null|true|false|nan|inf)\Z)[a-z_]\w*", re.ASCII | re.IGNORECASE)
"""What Hydra's grammar takes for text without quotes: the commands that tables name are read by people, too."""


def _quoted(text: str) -> str:
    return text if _WORD.fullmatch(text) else quoted(text)


def _key(setting: str, name: Any) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][\w.]*", name, re.ASCII):
        raise ConfigError(f"{setting}: {{{name!r}: …}}: a name has letters, digits, _ and dots")
    return name
