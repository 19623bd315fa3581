"""The options of the FederatedScope that is there: what they are, and a cell's options in its words and back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from fscost.errors import one_line
from fscost.protocol import fs_options
from fscost.protocol.client_options import by_client, of_all
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


def in_release(asked: Mapping[str, Any], release: Mapping[str, Any], *, spelled_out: bool = True) -> dict[str, Any]:
    """Return what a release must be given to do what the cell asks: its own names, by dotted name.

    `release` are its own defaults. Where they are not those that a cell leaves out, they are spelled out: a cell means
    the same everywhere. What is `asked` of one client alone is laid over that, and none of it is spelled out.
    """
    defaults = fs_options.options() if spelled_out else {}
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


# --- what there is --------------------------------------------------------------------------------

_SAMPLES = {"bool": True, "int": 1, "float": 0.5, "str": "text", "list": []}
"""A value of each kind that options have."""


def answer(task: str) -> None:
    """Print the answer to ``options`` or ``checks`` as the only line on standard output, ``error`` where it has none.

    Checks are of the configurations that stand on standard input, a list of options by dotted name.
    """
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a fork prints when it is imported must not be taken for the reply
    try:
        reply = options_there() if task == "options" else {"refusals": refusals(json.load(sys.stdin))}
    except Exception as error:
        reply = {"error": one_line(error)}
    replies.write(json.dumps(reply, default=str) + "\n")
    replies.close()


def options_there() -> dict[str, Any]:
    """Return the options with their defaults, the sections that take any, which kinds of values each kind takes, on
    which values it crashes, and why its messages cannot be metered, if so.
    """
    from federatedscope.core.configs.config import global_cfg

    kinds = [*_SAMPLES, "NoneType"]
    values = {**_SAMPLES, "NoneType": None}
    return {
        "defaults": dict(leaves(global_cfg)),
        "open": list(_open_sections(global_cfg)),
        "takes": {
            kind: [given for given in kinds if _is_taken(type(global_cfg), default, values[given])]
            for kind, default in _SAMPLES.items()
        },
        "crashing": {
            "data.splitter": {"iid": _crash_of_iid(global_cfg)},
            "model.type": {"vgg11": _crash_of_vgg11(global_cfg)},
        },
        "unmetered": _unmetered(),
    }


def _open_sections(node: Any, name: str = "") -> Iterator[str]:
    if node.is_new_allowed():
        yield name
    for key, value in node.items():
        if isinstance(value, Mapping) and hasattr(value, "is_new_allowed"):
            yield from _open_sections(value, f"{name}.{key}" if name else key)


def _is_taken(node: Any, default: Any, value: Any) -> bool:
    """Return whether FederatedScope lays a value over a default: which kinds it turns into which depends on it."""
    below, above = node(), node()
    below.option, above.option = default, value
    try:
        below.merge_from_other_cfg(above)
    except Exception:
        return False
    return True


def _crash_of_iid(defaults: Any) -> str:
    """Return how FederatedScope's own iid splitter fails on a few samples, and what to do; nothing where it works."""
    try:
        from federatedscope.core.auxiliaries.splitter_builder import get_splitter

        config = defaults.clone()
        config.data.splitter, config.federate.client_num = "iid", 2
    except Exception:  # who builds splitters otherwise is not known to fail
        return ""
    how = ""
    try:
        if (splitter := get_splitter(config)) is None:
            how = "it has no such splitter"
        else:
            splitter([*range(4)])
    except (ImportError, AttributeError) as error:
        how = one_line(error) if isinstance(error, ImportError) or str(error).startswith("module ") else ""
    except Exception:  # it may want other samples than numbers
        pass
    return how and f"{how}; take fs.data.splitter=iid_fixed, or '' where the data are split already"


def _crash_of_vgg11(defaults: Any) -> str:
    """Return how FederatedScope's own VGG11 fails on images, and what to do; nothing where it works."""
    try:
        from federatedscope.cv.model.model_builder import get_cnn

        config = defaults.clone()
        config.model.type, config.model.out_channels = "vgg11", 10
        model = get_cnn(config.model, (3, 32, 32))
        import torch  # takes seconds where nobody else has imported it
    except Exception:  # who builds models otherwise is not known to fail
        return ""
    try:
        model(torch.zeros(2, 3, 32, 32))
    except RuntimeError as error:
        return f"{one_line(error)}; engine=builtin and engine=estimate have it with five poolings instead of eight"
    return ""


def _unmetered() -> str:
    """Return what it lacks of what messages are metered at."""
    try:
        from federatedscope.core.communication import StandaloneCommManager
        from federatedscope.core.message import Message
    except ImportError as error:
        return one_line(error)
    lacks = [
        f"{kind.__name__}.{name}"
        for kind, name in ((StandaloneCommManager, "send"), (Message, "count_bytes"))
        if not hasattr(kind, name)
    ]
    return f"it has no {' and no '.join(lacks)}" if lacks else ""


def refusals(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return for each cell's options why FederatedScope does not take them, in its own words, or nothing."""
    from federatedscope.core.configs.config import global_cfg

    with TemporaryDirectory() as folder:
        return [_refusal(global_cfg.clone(), asked, Path(folder)) for asked in cells]


def _refusal(config: Any, asked: Mapping[str, Any], folder: Path) -> str:
    defaults, file = dict(leaves(config)), folder / "fs_config.yaml"
    given = [in_release(of_all(asked), defaults)]
    given += [in_release(own, defaults, spelled_out=False) for own in by_client(asked).values()]
    try:
        for options in given:
            file.write_text(yaml.safe_dump(fs_options.nested(options)))
            config.merge_from_file(str(file))
        config.outdir = str(folder)
        config.freeze(**{word: False for word in ("inform", "save") if word in signature(config.freeze).parameters})
    except Exception as error:
        return one_line(error)
    return ""
