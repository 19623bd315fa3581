"""Options that FederatedScope accepts and that change nothing with a model, whichever engine runs it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

QUANTIZATION, LOCAL_PARAM = "quantization.method", "personalization.local_param"

_ALONE = ("local", "global")
"""Methods that send no model for training."""


def is_quantised(name: str) -> bool:
    """Return whether uniform quantisation touches this entry of a state_dict: it goes by the name alone."""
    return name.endswith(".weight") and ("fc" in name or "conv" in name)


def without_effect(
    names: Iterable[str], local_param: Iterable[str], quantization: str, method: str = ""
) -> Iterator[str]:
    """Yield a line for each such option; `names` are those of the state_dict.

    `local_param` and `quantization` are the values of ``personalization.local_param`` and ``quantization.method``,
    `method` is ``federate.method``.
    """
    names = list(names)
    if not names:
        return
    if quantization != "none" and method.lower() in _ALONE:
        yield f"{QUANTIZATION}={quantization} quantised nothing: with federate.method={method} no model is sent"
    elif quantization != "none" and not any(is_quantised(name) for name in names):
        yield (
            f"{QUANTIZATION}={quantization} quantised nothing: FederatedScope does so only for weights of layers "
            "with fc or conv in their name"
        )
    for keyword in local_param:
        if not any(keyword in name for name in names):
            yield f"{LOCAL_PARAM}: {keyword} is in no name of the state_dict, so it keeps nothing local"


_LINES = {
    QUANTIZATION: re.compile(r"quantization\.method=(.+?) quantised nothing\b"),
    LOCAL_PARAM: re.compile(r"personalization\.local_param: (.+) is in no name of the state_dict\b"),
}


def useless_words(option: str, lines: Iterable[str]) -> set[str]:
    """Return which words of an option changed nothing, as lines of `without_effect` say, of any release."""
    found = (_LINES[option].match(line) for line in lines)
    return {match[1] for match in found if match}
