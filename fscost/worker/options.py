"""A cell's options in the words of one FederatedScope release, and what that release made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_OLD_NAMES = {
    "dataloader.batch_size": "data.batch_size",
    "dataloader.shuffle": "data.shuffle",
    "dataloader.num_workers": "data.num_workers",
    "dataloader.drop_last": "data.drop_last",
    "dataloader.sizes": "data.sizes",
}
"""Options that v0.2.0 has under another name."""


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every option of FederatedScope's configuration, or of part of it, as (dotted name, plain value)."""
    for key, value in tree.items():
        if key.startswith("__") or key == "is_ready_for_run":  # FederatedScope's own bookkeeping
            continue
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", getattr(value, "value", value)


def in_release(asked: Mapping[str, Any], defaults: Mapping[str, Any], release: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a release must be told so that it does what the cell asks: its own names, by dotted name.

    `defaults` are the values that an option has when a cell does not name it, `release` those of this release. Where
    they differ, the cell's is spelled out: a cell means the same everywhere.
    """
    unlike = {name: value for name, value in defaults.items() if name in release and _differ(value, release[name])}
    return {_name_in(release, name): value for name, value in {**unlike, **asked}.items()}


def in_cell(used: Mapping[str, Any]) -> dict[str, Any]:
    """Return a release's options by the names that cells use."""
    new_names = {old: new for new, old in _OLD_NAMES.items() if new not in used}
    return {new_names.get(name, name): value for name, value in used.items()}


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested form of dotted names."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *sections, last = name.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        node[last] = value
    return tree


def _name_in(release: Mapping[str, Any], name: str) -> str:
    old = _OLD_NAMES.get(name)
    return old if old is not None and name not in release and old in release else name


def _differ(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return False
    return bool((list(theirs) if isinstance(theirs, tuple) else theirs) != ours)
