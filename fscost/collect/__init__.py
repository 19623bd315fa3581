"""From run directories to tidy frames."""

from fscost.collect.gather import Frames, Run, gather, runs_below, write_frames

__all__ = ["Frames", "Run", "gather", "runs_below", "write_frames"]
