"""FederatedScope's configuration vocabulary: which options exist, and what they are when nobody sets them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from fscost.errors import ConfigError
from fscost.protocol.methods import OF_FEDERATEDSCOPE

IRRELEVANT = {
    "outdir", "expname", "expname_tag", "verbose", "print_decimal_digits", "cfg_file",
    "federate.process_num", "federate.master_addr", "federate.master_port",
}  # fmt: skip
"""Options that say where FederatedScope writes and in how many processes it runs; no result depends on them."""

CODECS: Mapping[str, Any] = {
    "codec.uplink": "none",
    "codec.downlink": "none",
    "codec.error_feedback": None,
    "codec.ratio": 0.01,
    "codec.index": "int32",
    "codec.rank": 2,
    "codec.bits": 8,
    "codec.bucket": 512,
    "codec.stochastic": True,
    "codec.scale": True,
    "codec.step": 0.05,
    "codec.rows": 5,
    "codec.columns": 0,
}
"""Options of codecs, which FederatedScope does not have, with their defaults: engine=builtin trains with them."""

OWN: Mapping[str, Any] = {
    "model.spec": {},
    "data.train_samples": 1000,
    "data.test_samples": 100,
    "data.val_samples": 0,
    "data.sample_shape": [],
    "early_stop.stopped_after": 0,
    "course.spec": {},
    **CODECS,
}
"""Options that FederatedScope does not have, with their defaults: engine=estimate knows what they mean."""

SIZES = "course.sizes"
"""The section with the sizes of a course, by their names."""

_OWN_VALUES = {"model.type": "spec", "data.type": "samples"}

_COPIES = {
    "personalization.local_update_steps": "train.local_update_steps",
    "personalization.lr": "train.optimizer.lr",
    "regularizer.mu": "fedprox.mu",
}
"""Options that FederatedScope itself fills from others before it dumps its effective configuration."""


@lru_cache(maxsize=None)
def _table() -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(Path(__file__).with_name("fs_options.json").read_text()))


@lru_cache(maxsize=None)
def options() -> Mapping[str, Any]:
    """Return every option by its dotted name with FederatedScope's default: master's, and what other releases add."""
    return {**_table()["options"], **{name: value for own in _added().values() for name, value in own.items()}}


def _added() -> Mapping[str, Mapping[str, Any]]:
    """Return the options that master does not have, by the release that has them."""
    return cast("dict[str, dict[str, Any]]", _table()["added"])


@lru_cache(maxsize=None)
def known() -> Mapping[str, Any]:
    """Return what a cell can hold: FederatedScope's options and our own, with their defaults."""
    return {**options(), **OWN}


def default(name: str) -> Any:
    """Return an option's default, or None for one below an open section."""
    return known().get(name)


def misfits(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield which options of a tree are no numbers, texts or lists, though FederatedScope's defaults are, in words."""
    for name, value in leaves(tree):
        kind, word = next((each for each in _KINDS if isinstance(default(name), each[0])), (object, ""))
        fits: bool = isinstance(value, kind)
        if not fits:
            yield f"{name}={str(value)[:40]}: is no {word}"
        elif name in TEXTS and not all(isinstance(each, str) for each in value):
            yield f"{name}={str(value)[:40]}: is no list of texts"


_KINDS: Sequence[tuple[Any, str]] = (((bool, int, float), "number"), (str, "text"), ((list, tuple), "list"))

TEXTS = {"eval.metrics", "eval.split", "personalization.local_param"}
"""Options that are lists of texts, where FederatedScope crashes on anything else."""


def not_federatedscopes(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield, in one sentence, which options and values of a cell only engine=estimate knows."""
    own = [f"fs.{n}" for n, _ in leaves(tree) if (n in OWN and n not in CODECS) or n.startswith(f"{SIZES}.")]
    own += [f"fs.{n}={value}" for n, value in leaves(tree) if n in _OWN_VALUES and value == _OWN_VALUES[n]]
    if own:
        yield f"{', '.join(own)}: FederatedScope has no such thing, nothing can train it; engine=estimate counts it"


def is_open(name: str) -> bool:
    """Return whether FederatedScope lets anyone add this option (``train.optimizer.momentum``)."""
    return any(name.startswith(f"{section}.") for section in open_sections())


def open_sections() -> Sequence[str]:
    """Return the sections below which FederatedScope lets anyone add options, and that of sizes, which is ours."""
    return [*cast("list[str]", _table()["open"]), SIZES]


def is_changed(name: str) -> bool:
    """Return whether a release has another default for an option than master; cells mean master's everywhere."""
    return name in _table()["changed"]


@lru_cache(maxsize=None)
def absent(protocol: str) -> Sequence[str]:
    """Return the options that a release does not have, none for one that is not known."""
    others = [name for release, own in _added().items() if release != protocol for name in own]
    lacking = cast("dict[str, list[str]]", _table()["absent"])
    return [*lacking[protocol], *others] if protocol in lacking else []


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of a nested configuration as (dotted name, value)."""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and name not in known():
            yield from leaves(value, f"{name}.")
        else:
            yield name, value


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested form of dotted names, the inverse of `leaves`."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *sections, last = name.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
            if not isinstance(node, dict):
                raise ConfigError(f"fs.{name}: {section} is a value and a section")
        node[last] = value
    return tree


_ALWAYS = (
    "seed",
    "federate.client_num",
    "federate.total_round_num",
    "federate.method",
    "model.type",
    "model.hidden",
    "data.type",
)
"""Options a cell always spells out, because they name its axes."""


def sparse(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from FederatedScope's defaults, so that spelling one out does not change a cell."""
    used = asked(flat)
    always = {name: used.get(name, default(name)) for name in _ALWAYS}
    has_unseen = bool(used.get("federate.unseen_clients_rate"))
    if used.get("federate.sample_client_num") == always["federate.client_num"] and not has_unseen:
        used.pop("federate.sample_client_num", None)
    differing = {n: value for n, value in used.items() if n not in known() or value != default(n)}
    found = {**differing, **always}
    if found["model.type"] in ("lr", "spec"):
        del found["model.hidden"]  # they have no such layer
    return dict(sorted(found.items()))


def asked(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options somebody asked for: without those FederatedScope adds when it dumps what it used."""
    used = {name: value for name, value in flat.items() if name not in IRRELEVANT}
    if method := OF_FEDERATEDSCOPE.get(str(used.get("federate.method")).lower()):  # in whatever case it is written
        used["federate.method"] = method.federate_method
    if used.get("federate.sample_client_rate") == 1 and used.get("aggregator.robust_rule") != "bulyan":
        del used["federate.sample_client_rate"]  # all clients, as without; Bulyan alone computes with the rate itself
    if used.get("data.splitter") == "lda" and not used.get("data.splitter_args"):
        used["data.splitter_args"] = [{"alpha": 0.5}]  # FederatedScope's own default
    for copy, original in _COPIES.items():
        if copy in used and used[copy] == used.get(original, default(original)):
            del used[copy]
    if used.get("fedprox.use") and used.get("regularizer.type") == "proximal_regularizer":
        del used["regularizer.type"]
    return used
