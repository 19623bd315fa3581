"""Whatever stands in files that a user names, a command ends with 0, 1 or 2 and a line; how often, as `test_fuzz`."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fscost.resources import conf, templates
from tests.conftest import Result
from tests.fuzz.mutations import Mutation, mutate, mutations
from tests.fuzz.test_fuzz import MINUTES, Clock, fuzzed
from tests.waiting import soon

MESSAGES = "round,sender,receiver,bytes,run\n1,server,a,100,x\n1,a,server,100,x\n2,server,b,70,y\n"
CITED = "- {source: Li, method: fedavg, total: 40.7 GB}\n- {source: Me, method: fedprox, total: 1 ± 0.2 MB, seeds: 3}\n"
ROWS = "source,method,total (MB)\nLi,fedavg,40.7\nMe,fedprox,1.234\n"
MODEL = "name: mine\ntensors:\n  a.weight: [3, 4]\n  b: {shape: [2], dtype: float16}\n"
GRID = ["engine=estimate", "model=lr", "data=toy"]
OWN = ["plan", "config_dir=own", *GRID]

FILES: dict[str, tuple[str | Path, Sequence[str]]] = {
    "own/messages.csv": (MESSAGES, ["table", "own/messages.csv", "table.measure=reported"]),
    "own/cited.yaml": (CITED, ["table", *GRID, "table.cited=own/cited.yaml"]),
    "own/cited.csv": (ROWS, ["table", *GRID, "table.cited=own/cited.csv"]),
    "own/shapes.yaml": (MODEL, ["plan", "engine=estimate", "model=spec", "data=samples", "shapes=own/shapes.yaml"]),
    "own/course.yaml": (conf() / "courses" / "fedproto.yaml", ["plan", *GRID, "method=spec", "course=own/course.yaml"]),
    "own/layout.yaml": (conf() / "table" / "matrix.yaml", ["table", *GRID, "table=own/layout.yaml"]),
    "own/method/mine.yaml": (conf() / "method" / "fedprox.yaml", [*OWN, "method=mine"]),
    "own/engine/mine.yaml": (conf() / "engine" / "estimate.yaml", ["plan", "config_dir=own", "engine=mine"]),
    "own/sweeps/mine.yaml": (conf() / "sweeps" / "quickstart.yaml", [*OWN, "sweeps=mine"]),
    "own/mine.md.j2": (templates() / "table.md.j2", ["table", *GRID, "--template", "own/mine.md.j2"]),
}
"""Files with what stands in them, and the command that reads them."""


@pytest.mark.slow
def test_an_odd_file_of_ones_own_is_one_line(here: Path, fscost: Callable[..., Result]) -> None:
    clock = Clock()

    @settings(fuzzed, max_examples=10**6 if MINUTES else 60)
    @given(st.sampled_from([*FILES]), mutations())
    def ends_well(name: str, odd: Mutation) -> None:
        clock.check(1)
        content, command = FILES[name]
        shutil.rmtree(here / "own", ignore_errors=True)
        file = here / name
        file.parent.mkdir(parents=True)
        file.write_text(content if isinstance(content, str) else content.read_text())
        mutate(file.parent, odd if file.suffix == ".yaml" or odd.how == "absent" else replace(odd, how=_bytewise(odd)))
        with soon():
            ended = fscost(*command)
        assert ended.code in (0, 1, 2)
        assert ended.code != 2 or ended.err.splitlines()[-1].startswith("fscost: ")

    clock.until_it_is_over(ends_well)


def _bytewise(odd: Mutation) -> str:
    return odd.how if odd.how in ("insert", "flip", "cut", "again") else ("insert", "flip", "cut", "again")[odd.odd % 4]
