"""How far a course is, for those who look at it while it runs."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from fscost.cells.measure import SERVER
from fscost.files import write_whole
from fscost.metering import Message

_EVERY_S = 0.5


class Progress:
    """Writes the round that is under way, counted from 1, at most twice a second."""

    def __init__(self, path: Path) -> None:
        self._path, self._round, self._next_s = path, 0, 0.0

    def sees(self, message: Message) -> None:
        """Note a message: a round begins when the server first sends the model in it."""
        if message.sender == SERVER and message.msg_type == "model_para":
            self.reaches(message.state + 1)

    def reaches(self, number: int) -> None:
        """Note that a round, counted from 1, is under way."""
        if number > self._round:
            self._round = number
            if time.monotonic() >= self._next_s:
                with suppress(OSError):  # a full disk ends the course when it must write what matters
                    write_whole(self._path, [json.dumps({"round": self._round})], synced=False)
                self._next_s = time.monotonic() + _EVERY_S
