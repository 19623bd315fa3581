"""A cell's options in the words of one FederatedScope release, and what that release made of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fscost.protocol import fs_options
from fscost.protocol.release import RELEASES

_FORMER_NAMES = {new: former for release in RELEASES for new, former in release.former_names.items()}


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every option of FederatedScope's configuration, or of part of it, as (dotted name, plain value)."""
    for key, value in tree.items():
        if key.startswith("__") or key == "is_ready_for_run":  # FederatedScope's own bookkeeping
            continue
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", getattr(value, "value", value)


def in_release(asked: Mapping[str, Any], release: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a release must be told so that it does what the cell asks: its own names, by dotted name.

    `release` are its own defaults. Where they are not those that a cell leaves out, they are spelled out: a cell means
    the same everywhere.
    """
    defaults = fs_options.options()
    unlike = {name: value for name, value in defaults.items() if name in release and _differ(value, release[name])}
    return {_name_in(release, name): value for name, value in {**unlike, **asked}.items()}


def older_names(release: Collection[str]) -> dict[str, str]:
    """Return the names that a release has for options that cells know by another, with these."""
    return {old: new for new, old in _FORMER_NAMES.items() if new not in release and old in release}


def in_cell(used: Mapping[str, Any]) -> dict[str, Any]:
    """Return a release's options by the names that cells use."""
    new_names = older_names(used)
    return {new_names.get(name, name): value for name, value in used.items()}


def _name_in(release: Mapping[str, Any], name: str) -> str:
    old = _FORMER_NAMES.get(name)
    return old if old is not None and name not in release and old in release else name


def _differ(ours: Any, theirs: Any) -> bool:
    """Return whether a default is another; one of another kind, which a fork may have, could not be set to ours."""
    if ours is None or theirs is None or isinstance(ours, str) != isinstance(theirs, str):
        return False
    return bool((list(theirs) if isinstance(theirs, tuple) else theirs) != ours)
