"""FederatedScope's own ``main.py``, unmodified, with a look at the data and the runner that it makes."""

from __future__ import annotations

import ast
import runpy
import sys
from contextlib import suppress
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Callable

Watcher = Callable[[Any], None]  # typing's own: collections.abc has none in Python 3.8


def import_what_it_imports(main: Path) -> None:
    """Import the modules that ``main.py`` begins with, so that no fork has to."""
    try:
        statements = ast.parse(main.read_bytes()).body
    except (OSError, SyntaxError, ValueError):  # each cell says so
        return
    for statement in statements:
        if isinstance(statement, ast.ImportFrom) and not statement.level:
            names = [statement.module or ""]
        else:
            names = [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
        for name in names:
            if name.partition(".")[0] == "federatedscope":
                import_module(name)
            else:
                with suppress(Exception):  # it may be found only after what main.py itself does
                    import_module(name)


class MainProgram:
    """The ``main.py`` of a checkout; `runner` is FederatedScope's, as soon as it runs."""

    def __init__(self, main: Path) -> None:
        self.main = main
        self.runner: Any = None
        self._has_data = False

    def run(self, *words: str, on_data: Watcher, on_course: Watcher) -> None:
        """Run it with these words of a command line.

        `on_data` is called with the configuration as the data of the course have left it, `on_course` with the runner,
        before the first message. Raises RuntimeError where it did not run a course.
        """
        if not self.main.is_file():
            raise RuntimeError(f"there is no {self.main}, which is what engine=federatedscope runs")
        self._watch_data(on_data)
        self._watch_runners(on_course)
        sys.argv = [str(self.main), *words]
        sys.path.insert(0, str(self.main.parent))  # as Python does for a script
        try:
            runpy.run_path(str(self.main), run_name="__main__")
        except SystemExit as stop:
            if stop.code or self.runner is None:
                raise
        if self.runner is None:
            raise RuntimeError(f"{self.main} ran no runner of federatedscope.core.fed_runner, so no course")

    def _watch_data(self, on_data: Watcher) -> None:
        from federatedscope.core.auxiliaries import data_builder

        get_data = data_builder.get_data

        @wraps(get_data)
        def watched(*arguments: Any, **named: Any) -> Any:
            data, config, *more = get_data(*arguments, **named)
            if not self._has_data:  # what a runner loads beside is none of the course's, as to align an emulator
                on_data(config)
            return (data, config, *more)

        data_builder.get_data = watched

    def _watch_runners(self, on_course: Watcher) -> None:
        """Look at each runner when it is made; whatever class it is, it is made by one of these."""
        from federatedscope.core import fed_runner

        for kind in list(vars(fed_runner).values()):
            if isinstance(kind, type) and hasattr(kind, "run") and "__init__" in vars(kind):
                self._watch_runner(kind, on_course)

    def _watch_runner(self, kind: Any, on_course: Watcher) -> None:
        make = kind.__init__

        @wraps(make)
        def watched(runner: Any, *arguments: Any, **named: Any) -> None:
            self._has_data = True
            make(runner, *arguments, **named)
            if "run" not in vars(runner):  # no class above this one has seen it
                runner.run = self._watched_run(runner, on_course)

        kind.__init__ = watched

    def _watched_run(self, runner: Any, on_course: Watcher) -> Callable[..., Any]:
        run = runner.run

        @wraps(run)
        def started(*arguments: Any, **named: Any) -> Any:
            if self.runner is not None:
                raise RuntimeError(f"{self.main} runs a second course, and a cell is one")
            self.runner = runner
            on_course(runner)
            return run(*arguments, **named)

        return started
