"""Options that FederatedScope accepts and that change nothing with a model, whichever engine runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def is_quantised(name: str) -> bool:
    """Return whether uniform quantisation touches this entry of a state_dict: it goes by the name alone."""
    return name.endswith(".weight") and ("fc" in name or "conv" in name)


def without_effect(names: Iterable[str], local_param: Iterable[str], quantization: str) -> Iterator[str]:
    """Yield a line for each such option; `names` are those of the state_dict.

    `local_param` and `quantization` are the values of ``personalization.local_param`` and ``quantization.method``.
    """
    names = list(names)
    if not names:
        return
    if quantization != "none" and not any(is_quantised(name) for name in names):
        yield (
            f"quantization.method={quantization} quantised nothing: FederatedScope does so only for weights of layers "
            "with fc or conv in their name"
        )
    for keyword in local_param:
        if not any(keyword in name for name in names):
            yield f"personalization.local_param: {keyword} is in no name of the state_dict, so it keeps nothing local"
