"""``python -m fscost``, and the console script ``fscost``."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 all done, 1 some cell failed, 2 the user's mistake."""
    try:
        from fscost.commands.command_line import main as run  # here: Ctrl-C may come while it is imported
    except KeyboardInterrupt:
        return 130
    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
