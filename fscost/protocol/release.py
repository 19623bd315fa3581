"""FederatedScope's releases and all in which they differ: what is sent, how rounds are numbered, what is dumped.

A new release is a new `Release` here, and nothing elsewhere: no other module compares names of releases.
"""

# FederatedScope's interpreter imports this: Python 3.8.

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Release:
    """One release of FederatedScope, or the commits between two that send the same messages.

    `protocol` is what cells of it are called; `as_cell` holds the options that make such a cell upload what this one
    does, where they are not one and the same. `pickles` says that tensors of ``model_para`` are pickled instead of
    sent as lists of numbers; `uploads_buffers` that clients always upload running statistics too;
    `first_evaluation_is_round_0` that the evaluation after the first round of training is that of round 0, not of 1;
    `counts_uploads` that ``total_upload_bytes`` is counted in standalone mode; `converged_content` is what the message
    ``converged`` carries. `runs_asyn` says that asynchronous courses send what the later releases do; `adapts` that it
    trains language models with adapters: it adds the padding token that a tokenizer lacks to their vocabulary, and its
    clients train in half precision on request.

    `fingerprints` are those of its source, as it is in the repository and as it is installed.

    `own_option` is an option, or a section, that no former release dumps, or no later one, and `always_dumps_it` says
    that every dump of this release has it. `former_names` are the names it has for options that cells know by another,
    and `former_options` those that were dropped later.
    """

    name: str
    protocol: str
    pickles: bool
    uploads_buffers: bool
    first_evaluation_is_round_0: bool
    counts_uploads: bool
    converged_content: str | None
    runs_asyn: bool = True
    adapts: bool = False
    fingerprints: frozenset[str] = frozenset()
    as_cell: Mapping[str, Any] = field(default_factory=dict)
    own_option: str = ""
    always_dumps_it: bool = False
    former_names: Mapping[str, str] = field(default_factory=dict)
    former_options: frozenset[str] = frozenset()


MASTER = Release(
    name="master",
    protocol="master",
    pickles=True,
    uploads_buffers=False,
    first_evaluation_is_round_0=True,
    counts_uploads=False,
    converged_content="None",
    fingerprints=frozenset({"5b3b823045320e4c", "8ce30b40a1d05359"}),
    own_option="train.data_para_dids",  # since May 2023
    always_dumps_it=True,
)

BETWEEN = replace(
    MASTER,
    name="v0.3.0 to master",
    uploads_buffers=True,
    fingerprints=frozenset(),
    as_cell={"personalization.share_non_trainable_para": True},
    always_dumps_it=False,
)
"""Commits from April to July 2023: they pickle as master does, and upload all entries as before."""

LLM = replace(
    BETWEEN,
    name="llm",
    protocol="llm",
    adapts=True,
    fingerprints=frozenset({"43c84c10b9a66f38", "4e78b603b009ec90"}),
    as_cell={},
    own_option="llm",
    always_dumps_it=True,
)
"""Branch llm, FS-LLM, which left master in 2023."""

V030 = replace(
    BETWEEN,
    name="v0.3.0",
    protocol="v0.3.0",
    pickles=False,
    fingerprints=frozenset({"95e6f6c5e69263cf", "aa06e4190ebcd41c"}),
    as_cell={},
    own_option="",
)

V020 = replace(
    V030,
    name="v0.2.0",
    protocol="v0.2.0",
    first_evaluation_is_round_0=False,
    counts_uploads=True,
    converged_content=None,
    runs_asyn=False,
    fingerprints=frozenset({"50079fdda02a7566", "a4488eda37e8153e"}),
    own_option="eval.save_data",
    former_names={
        "dataloader.batch_size": "data.batch_size",
        "dataloader.shuffle": "data.shuffle",
        "dataloader.num_workers": "data.num_workers",
        "dataloader.drop_last": "data.drop_last",
        "dataloader.sizes": "data.sizes",
    },
    former_options=frozenset(
        ["data.graphsaint.num_steps", "data.graphsaint.walk_length", "early_stop.the_smaller_the_better",
         "eval.save_data", "sgdmf.theta"]
    ),
)  # fmt: skip

RELEASES = (
    MASTER, BETWEEN,
    LLM, V030, V020,
)  # fmt: skip
"""What a course may have run on that nobody metered; commits since 2022 send the messages of one of these."""

_BY_NAME = {release.name: release for release in RELEASES}

NAMES = tuple(_BY_NAME)

PROTOCOLS = tuple(dict.fromkeys(release.protocol for release in RELEASES))
"""The names that cells have for releases."""

NEWEST = MASTER


def release_of(protocol: str) -> Release:
    """Return the release that a protocol names; of another FederatedScope, one that is called so and sends as its like.

    It is named ``LIKE+FINGERPRINT`` after the release that it is like.
    """
    if (release := _BY_NAME.get(protocol)) is not None:
        return release
    return replace(_BY_NAME.get(protocol.partition("+")[0], V030), name=protocol, protocol=protocol)


def protocol_of(fingerprint: str, **features: bool) -> str:
    """Return what cells of a FederatedScope are called: by its release, any other by the one it is like and itself.

    `fingerprint` is that of its source: v0.3.0 and all after it call themselves 0.3.0, and no two may share a cell.
    `features` are fields of `Release` that were read from its source.
    """
    known = next((release.protocol for release in RELEASES if fingerprint in release.fingerprints), None)
    return known or f"{_like(features).protocol}+{fingerprint[:8]}"


def _like(features: Mapping[str, bool]) -> Release:
    """Return the release with these features; where none has all of them, one that counts rounds so."""
    own = [release for release in RELEASES if release.protocol == release.name]
    alike = [release for release in own if all(getattr(release, key) is value for key, value in features.items())]
    counts_from_0 = features["first_evaluation_is_round_0"]
    return next(iter(alike), V030 if counts_from_0 else V020)


_LEAST_OF_A_DUMP = 200
"""FederatedScope dumps all its options, some 350; what has fewer was written by hand."""


def releases_of_dump(options: Collection[str]) -> Sequence[Release]:
    """Return the releases that may have dumped a configuration, by the names of its options.

    A model without adapters sends on branch llm what it does on a release that is named: nobody takes it for that.
    """
    own = next((r.own_option for r in reversed(RELEASES) if r.own_option and _has(options, r.own_option)), None)
    if own:
        return [release for release in RELEASES if release.own_option == own]
    is_whole = len(options) >= _LEAST_OF_A_DUMP
    return [release for release in RELEASES if not release.adapts and not (is_whole and release.always_dumps_it)]


def _has(options: Collection[str], name: str) -> bool:
    return name in options or any(option.startswith(f"{name}.") for option in options)
