"""Codecs in closed form: what is sent of a tensor, up and down. A new one is a module here, and a line in `CODECS`."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from fscost.errors import ConfigError, nearest
from fscost.protocol.codecs.cast import Bfloat16, Float16
from fscost.protocol.codecs.codec import Codec, bytes_of
from fscost.protocol.codecs.count_sketch import CountSketch
from fscost.protocol.codecs.low_rank import LowRank
from fscost.protocol.codecs.mask import Mask
from fscost.protocol.codecs.quantise import Quantise
from fscost.protocol.codecs.random_k import RandomK
from fscost.protocol.codecs.sign import Sign
from fscost.protocol.codecs.top_k import TopK

__all__ = ["CODECS", "LINKS", "NONE", "Codec", "bytes_of", "codec_of", "make_codec", "without_unread"]

NONE = "none"
"""What a direction is set to whose messages travel as they are."""

LINKS = ("uplink", "downlink")

CODECS: Mapping[str, type[Codec]] = {
    codec.name: codec for codec in (Float16, Bfloat16, Quantise, Sign, TopK, RandomK, LowRank, CountSketch, Mask)
}
"""The codecs by what ``codec.uplink`` and ``codec.downlink`` call them."""

_ALSO = {
    "half": "float16", "fp16": "float16", "bf16": "bfloat16", "powersgd": "lowrank", "svd": "lowrank", "dgc": "topk",
    "signsgd": "sign", "signum": "sign", "onebit": "sign", "qsgd": "quantise", "fedpaq": "quantise", "int8": "quantise",
    "fetchsgd": "sketch", "randk": "randomk", "fedmrn": "mask",
}  # fmt: skip
"""What papers and other libraries call some of them."""


def _meant(name: Any) -> str:
    """Return the codec that a name stands for, or else the nearest, as a refusal says it."""
    plain = "".join(filter(str.isalnum, str(name).lower()))
    return nearest(_ALSO.get(plain, plain), [NONE, *CODECS])


def make_codec(name: str, **settings: Any) -> Codec:
    """Return a codec by its name; raises ConfigError for one that is not there, and for settings that make none."""
    if name not in CODECS:
        raise ConfigError(f"{name}: there is no such codec{_meant(name)}; there are {', '.join(CODECS)}")
    known = [field.name for field in fields(CODECS[name])]
    for key in settings:
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigError(f"{key}: codec {name} has no such setting{nearest(key, known)}; {has}")
    return CODECS[name](**settings)


def codec_of(get: Callable[[str], Any], link: str) -> Codec | None:
    """Return the codec of a direction, None for none; `get` returns an option by its dotted name.

    Raises ConfigError, naming the options, where it makes none.
    """
    if (name := get(f"codec.{link}")) == NONE:
        return None
    if name not in CODECS:
        raise ConfigError(f"codec.{link}={name}: must be one of {', '.join([NONE, *CODECS])}{_meant(name)}")
    try:
        return CODECS[name](**{field.name: get(f"codec.{field.name}") for field in fields(CODECS[name])})
    except ConfigError as error:
        raise ConfigError(*(f"codec.{problem}" for problem in error.args)) from None


def without_unread(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return options by dotted name without those of codecs that the chosen ones do not read: no part of a cell."""
    chosen = [CODECS[name] for link in LINKS if (name := flat.get(f"codec.{link}", NONE)) in CODECS]
    read = {f"codec.{field.name}" for codec in chosen for field in fields(codec)}
    read |= {f"codec.{link}" for link in LINKS} | ({"codec.error_feedback"} if chosen else set())
    return {name: value for name, value in flat.items() if not name.startswith("codec.") or name in read}
