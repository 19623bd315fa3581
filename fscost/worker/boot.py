"""The script that an engine's interpreter starts: ``boot.py probe``, ``options``, ``checks`` or ``serve MODULE``.

It makes this very fscost importable there by its path alone, so that nothing has to be installed beside
FederatedScope and nothing of the environment that fscost lives in is seen.
"""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

OLDEST = (3, 8)


def load_fscost() -> None:
    """Make ``import fscost`` find the package that this file lies in."""
    package = Path(__file__).resolve().parents[1]
    spec = spec_from_file_location("fscost", package / "__init__.py", submodule_search_locations=[str(package)])
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["fscost"] = module
    spec.loader.exec_module(module)


def main(task: str, *arguments: str) -> None:
    """Run one of the tasks; an interpreter that is too old says so in the form of a reply."""
    if sys.version_info < OLDEST:
        print(json.dumps({"error": f"Python {sys.version.split()[0]} is too old, the worker needs 3.8"}))
        return
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if not entry or str(Path(entry).resolve()) != here]
    if Path("federatedscope", "__init__.py").exists():  # started in a checkout of FederatedScope, as its users do
        sys.path.append(str(Path.cwd()))
    load_fscost()
    if task == "probe":
        from fscost.worker.probe import probe

        print(json.dumps(probe()))
    elif task in ("options", "checks"):
        from fscost.worker.release_options import answer

        answer(task)
    else:
        from fscost.worker.fork_server import main as serve

        serve(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
