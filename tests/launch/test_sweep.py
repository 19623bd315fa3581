"""A sweep whose cells die: each is tried again as often as asked, and what is left failed is told."""

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.engine import Engines, EngineSettings
from fscost.launch import Ended, How, LineProgress, Sweep, Task
from fscost.launch.task import compute
from fscost.store.store import Store
from tests.conftest import cells_of


class Deadly:
    """Computes cells at once, but what is to compute `victim` dies the first `deaths` times."""

    def __init__(self, store: Store, victim: Cell, deaths: int) -> None:
        self.store, self.victim, self.deaths, self.engines = store, victim, deaths, Engines()

    def launch(self, tasks: Sequence[Task]) -> list[Future[Ended]]:
        futures: list[Future[Ended]] = [Future() for _ in tasks]
        for task, future in zip(tasks, futures, strict=True):
            future.set_result(self._ended(task))
        return futures

    def _ended(self, task: Task) -> Ended:
        if task.cell == self.victim and self.deaths:
            self.deaths -= 1
            return Ended(How.DIED, reason="its machine is gone")
        return compute(task, self.store, self.engines)

    def close(self) -> None:
        self.engines.close()


@pytest.mark.parametrize(
    ("deaths", "retries", "is_done"), [(0, 0, True), (1, 0, False), (1, 1, True), (2, 1, False), (2, 2, True)]
)
def test_a_cell_is_tried_again_as_often_as_asked(deaths: int, retries: int, is_done: bool, tmp_path: Path) -> None:
    store, cells = Store(tmp_path / "runs"), cells_of("engine=estimate", "model=lr", "clients=2,3,4")
    lines: list[str] = []
    sweep = Sweep(
        store, Deadly(store, cells[1], deaths), LineProgress(3, lines.append), retries=retries, fail_fast=False
    )
    sweep.run([Task(cell, EngineSettings(), {"name": "deadly"}, store.stamp(cell)) for cell in cells])
    ending = Status.DONE if is_done else Status.FAILED
    assert [store.status(cell) for cell in cells] == [Status.DONE, ending, Status.DONE]
    assert sweep.failures() == ([] if is_done else [cells[1].id])
    assert sum("it is tried again" in line for line in lines) == min(deaths, retries)
    assert is_done or store.of(cells[1]).read_outcome()["reason"] == "its machine is gone"
