"""``python -m fscost``, and the console script ``fscost``."""

import sys

from fscost.commands.command_line import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
