"""The verb `check`: what cannot be believed, why, and how it is computed again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Result

GRID = ("engine=estimate", "method=fedavg,fedprox,fedbn", "model=lr", "clients=2", "rounds=2")
Fscost = Callable[..., Result]


@pytest.fixture
def runs(here: Path, fscost: Fscost) -> Iterator[list[Path]]:
    """Three runs that are done."""
    assert fscost(*GRID).code == 0
    return sorted(path for path in (here / "runs").iterdir() if (path / "outcome.json").exists())


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


@pytest.mark.pipeline
def test_what_is_as_it_was_written_is_counted_in_one_line(runs: list[Path], fscost: Fscost, here: Path) -> None:
    for words in ((), ("runs",), GRID, (f"runs/{runs[0].name}",)):
        done = fscost("check", *words)
        number = 1 if words and words[0].startswith("runs/") else 3
        assert (done.code, done.out, done.err) == (0, f"{number} run{'s' * (number > 1)}: {number} done\n", "")
    (here / "empty").mkdir()
    assert fscost("check", "empty").out == "0 runs\n"
    assert fscost("check", "nowhere").code == 2


@pytest.mark.pipeline
def test_what_was_changed_is_named_with_what_computes_it_again(runs: list[Path], fscost: Fscost) -> None:
    flip(runs[0] / "ledger.jsonl", 50)
    flip(runs[1] / "outcome.json", 30)
    *found, total = fscost("check", "runs").out.splitlines()
    assert total == "3 runs: 1 done, 2 corrupt"
    assert [line.partition("python -m fscost ")[2] for line in found if "to compute it again" in line] == [
        f"rerun runs/{run.name}" for run in runs[:2]
    ]
    for file in (runs[0] / "ledger.jsonl", runs[1] / "outcome.json"):
        assert any(str(file.relative_to(Path.cwd())) in line for line in found), file
    done = fscost("check", *GRID)
    assert (done.code, "to compute it again: python -m fscost engine=estimate method=" in done.out) == (1, True)
    assert fscost("rerun", f"runs/{runs[0].name}").code == fscost("rerun", f"runs/{runs[1].name}").code == 0
    assert fscost("check", "runs").out == "3 runs: 3 done\n"


@pytest.mark.pipeline
def test_runs_of_before_have_one_note(runs: list[Path], fscost: Fscost) -> None:
    for run in runs[:2]:
        outcome = json.loads((run / "outcome.json").read_text())
        (run / "outcome.json").write_text(
            json.dumps({k: v for k, v in outcome.items() if k not in ("files", "digest")})
        )
    done = fscost("check", "runs")
    note, total = done.out.splitlines()
    assert (done.code, total) == (0, "3 runs: 3 done")
    assert note.startswith("2 runs were written before fscost kept digests")
