"""From run directories to tidy frames."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fscost.collect.find import runs_below
from fscost.collect.fs_logs import newest_evaluation
from fscost.collect.rounds import schedule_of

if TYPE_CHECKING:
    from fscost.collect.frames import Frames, gather, no_garbage_collection, write_frames
    from fscost.collect.ledgers import Derive

__all__ = [
    "Derive",
    "Frames",
    "gather",
    "newest_evaluation",
    "no_garbage_collection",
    "runs_below",
    "schedule_of",
    "write_frames",
]


def __getattr__(name: str) -> Any:
    """Import what makes frames when it is first asked for: with pandas it takes longer than to look at a sweep."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    frames = import_module("fscost.collect.frames")
    own = ("Derive", "Frames", "gather", "no_garbage_collection", "write_frames")
    globals().update({name: getattr(frames, name) for name in own})
    return globals()[name]
