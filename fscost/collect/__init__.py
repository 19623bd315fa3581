"""From run directories to tidy frames."""

from fscost.collect.gather import Frames, gather, runs_below, write_frames

__all__ = ["Frames", "gather", "runs_below", "write_frames"]
