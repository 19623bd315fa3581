"""The fewest bytes that a message with a model can have: a bound below which no figure can be right.

Where a run has options or a method that FederatedScope itself does not have, one bit per parameter is the bound; where
only a part of the model may be sent, there is none.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from fscost.vocabulary import default, is_open, known
from fscost.where import is_provenance

Options = Mapping[str, Any]

_HALF = re.compile(r"(.*_)?(half|fp16|bf16|amp)(_.*)?")
_PART = re.compile(r".*(adapter|lora|peft|compress|top_?k|spars|prun|sketch|mask|codec|freez|frozen|partial|distill).*")
_METHODS = {"fedavg", "fedopt", "fedprox", "fedbn", "fedrep", "pfedme", "ditto", "fedem", "fedswa"}
_NO_MODEL = {"local", "global"}
"""Methods that FederatedScope has, by what they send: a whole model, or none until the end."""

_OF_V020 = {"data.graphsaint.num_steps", "data.graphsaint.walk_length", "early_stop.the_smaller_the_better",
            "eval.save_data", "sgdmf.theta"}  # fmt: skip
"""Options of former releases."""


class Least(NamedTuple):
    """A number of bytes, 0 where there is no bound, and of what it is."""

    size: float
    of: str

    def __str__(self) -> str:
        return f"{self.size:,.0f} B {self.of}"


def parameters_sent(size: float, options: Options) -> float:
    """Return how many parameters a message with the model has, of ``total_model_size``; 0 where none has a model."""
    if _method(options) in _NO_MODEL or options.get("vertical.use"):
        return 0
    is_ditto = options.get("ditto.use") or _method(options) == "ditto"
    return size / 2 if is_ditto else size  # Ditto counts the personal model too, which stays


def least_bytes(size: float, options: Options, link: str) -> Least:
    """Return the bound for a model of ``total_model_size`` parameters, for upload or download."""
    number = parameters_sent(size, options)
    if _is_partial(options) or (link == "upload" and options.get("personalization.local_param")):
        return Least(0, "")
    if not _is_known(options):
        return Least(number / 8, "even with one bit each")
    if options.get("quantization.method", "none") != "none":
        bits = options.get("quantization.nbits", 8)
        bits = bits if bits in (8, 16) else 1
        return Least(number * bits / 8, f"with {bits} bits each")
    if any(_HALF.fullmatch(_last(name)) and value for name, value in options.items()):
        return Least(number * 2, "with 16 bits each")
    return Least(number * 4, "with 32 bits each")


def _is_partial(options: Options) -> bool:
    return any(_PART.fullmatch(name.lower()) and _is_on(name, value) for name, value in options.items())


def _is_on(name: str, value: Any) -> bool:
    """Return whether an option is set; a dump has all of FederatedScope's with their defaults."""
    return bool(value) and value != default(name) and str(value).lower() not in ("none", "false")


def _is_known(options: Options) -> bool:
    """Return whether FederatedScope has the method and every option, so that what is sent is known."""
    if not options or _method(options) not in _METHODS:
        return False
    return all(
        n in known() or n in _OF_V020 or is_open(n) or is_provenance(n) or _HALF.fullmatch(_last(n)) for n in options
    )


def _method(options: Options) -> str:
    return str(options.get("federate.method", "FedAvg")).lower()


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower()
