"""What a command imports: a plan waits for nothing that it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

_TOLD = "import sys; from fscost.__main__ import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"


@pytest.mark.pipeline
@pytest.mark.parametrize(("verb", "needs"), [("plan", set()), ("status", set()), ("table", {"pandas"})])
def test_a_verb_imports_no_more_than_it_needs(verb: str, needs: set[str], tmp_path: Path) -> None:
    words = [verb, "engine=estimate", "clients=3", f"store={tmp_path}"]
    told = subprocess.run(
        [sys.executable, "-c", _TOLD, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    heavy = {"pandas", "torch", "sklearn", "matplotlib", "plotly", "itables", "fscost.report"}
    assert set(told.stderr.split()) & heavy == needs
