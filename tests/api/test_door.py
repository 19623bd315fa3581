"""The door for Python: values for the verbs' words, and a caller that is left as it was."""

import _thread
import asyncio
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fscost as door
from fscost.api import computation
from fscost.api.overrides import TableSettings, table_overrides, written
from fscost.cells.outcome import Status
from fscost.commands.command_line import main
from fscost.engine import unasked
from fscost.plan import plan as planned
from fscost.tables import TableSpec
from tests.conftest import Result, needs_train
from tests.waiting import PATIENCE_S, until

FAST = ("engine=estimate", "model=lr", "rounds=1")
TRAINED = ("engine=builtin", "model=lr", "rounds=1")
needs_figures = pytest.mark.skipif(
    not all(map(find_spec, ("matplotlib", "plotly", "itables"))), reason="needs pip install 'fscost[figures,report]'"
)

GRID = ("method=fedavg,fedprox", "clients=2,3")


# --- importing ------------------------------------------------------------------------------------


def told_by(code: str, cwd: Path) -> str:
    """What a Python of its own prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_it_imports_nothing_of_weight(tmp_path: Path) -> None:
    told = told_by("import sys; before = {*sys.modules}; import fscost; print(*{*sys.modules} - before)", tmp_path)
    ours = {name for name in told.split() if name.startswith("fscost")}
    assert ours == {"fscost"}
    assert not {name.split(".")[0] for name in told.split()} & {"torch", "hydra", "omegaconf", "pandas", "numpy"}


def test_its_functions_are_there_before_and_after_rooms_of_their_names_are_imported(tmp_path: Path) -> None:
    first = "import fscost; fscost.plan; import fscost.plan, fscost.collect, fscost.report; "
    told_by(first + "assert all(callable(f) for f in (fscost.plan, fscost.collect, fscost.report))", tmp_path)
    told_by("from fscost.plan import Plan; import fscost; assert callable(fscost.plan)", tmp_path)
    assert {*door.__all__} <= {*dir(door)} and (Path(door.__file__).parent / "py.typed").exists()
    for name in door.__all__:
        assert callable(getattr(door, name))
        assert getattr(door, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'tabel'"):
        _ = door.tabel  # type: ignore[attr-defined]


# --- cells ----------------------------------------------------------------------------------------


def test_a_plan_is_its_cells(here: Path, fscost: Callable[..., Result]) -> None:
    cells = door.plan(*GRID, *FAST)
    assert len(cells) == 4
    assert [cell.axes["clients"] for cell in cells] == [2, 3, 2, 3]
    assert cells.missing == [*cells] and not cells.done
    assert cells[0].options["federate.client_num"] == 2 and len(cells[0].id) == 12
    row = cells.to_frame()[["method", "clients", "status", "id"]].to_dict("records")[3]
    assert row == {"method": "fedprox", "clients": 3, "status": "missing", "id": cells[3].id}
    assert cells._repr_html_().count("<tr>") == 5
    assert f"{cells}\n" == fscost("plan", *GRID, *FAST).out
    assert not [*here.iterdir()]
    assert [cell.id for cell in door.run(cells, quiet=True).done] == [cell.id for cell in cells]
    for words, told in (([door.plan("runs")], "fscost.rerun"), (["runs"], "runs: is no override"), ([3], "3: must be")):
        with pytest.raises(door.FscostError, match=told):
            door.run(*words)


def test_a_sweep_is_done_once_and_told_unless_it_is_to_be_quiet(
    here: Path, capsys: pytest.CaptureFixture[str], fscost: Callable[..., Result]
) -> None:
    cells = door.run(*GRID, *FAST)
    out, err = capsys.readouterr()
    assert out == "" and "4 cells: 0 done, 4 to run" in err and "[4/4] " in err
    assert cells.done == [*cells] and all(cell.is_new and cell.wall_s > 0 for cell in cells)
    assert cells[0].path == Path("runs") / cells[0].name
    again = door.run(*GRID, *FAST, quiet=True)
    assert capsys.readouterr() == ("", "")
    assert [cell.id for cell in again.done] == [cell.id for cell in cells] and not any(cell.is_new for cell in again)
    assert fscost("plan").out == f"{cells}\n"  # the last sweep, as if the command line had run it


@needs_train
@pytest.mark.pipeline
def test_a_failed_cell_is_a_value_with_reason_and_log(here: Path) -> None:
    cells = door.run("model=mlp_s", "rounds=1", "clients=2,43", "engine=builtin", quiet=True)
    (failed,) = cells.failed
    assert cells.counts == "2 cells, 1 done, 1 failed"
    assert failed.axes["clients"] == 43 and "batch of one sample" in failed.reason
    assert failed.log is not None and "Traceback" in failed.log.read_text()
    assert cells.to_frame()["reason"].notna().tolist() == [False, True]
    assert "batch of one sample" in cells._repr_html_()


def test_cells_are_computed_again_if_they_are_asked_for(here: Path) -> None:
    cells = door.run(*GRID, *FAST, quiet=True)
    again = door.rerun("clients=3", *GRID[:1], *FAST, quiet=True)
    assert [cell.id for cell in again] == [cells[1].id, cells[3].id] and all(cell.is_new for cell in again)
    assert len(door.rerun(cells, failed=True, quiet=True)) == 0
    (here / "runs" / cells[0].name / "ledger.jsonl").write_text("cut")
    (corrupt,) = door.plan(cells).failed
    assert corrupt.id == cells[0].id and "cannot be believed" in corrupt.reason
    assert [cell.id for cell in door.rerun(cells, failed=True, quiet=True).done] == [corrupt.id]


@needs_train
@pytest.mark.pipeline
def test_a_rerun_that_fails_says_so_although_the_old_result_stays(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    door.run(*TRAINED, quiet=True)
    broken = here / "broken" / "torch"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('no training today')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(broken.parent), *filter(None, sys.path)]))
    (again,) = door.rerun(*TRAINED, quiet=True)
    assert again.status is Status.FAILED and "no training today" in again.reason
    assert door.plan(*TRAINED)[0].status is Status.DONE


def test_a_cell_of_two_stores_is_computed_again_in_both(here: Path) -> None:
    for store in ("a", "b"):
        door.run(*FAST, store=store, quiet=True)
    again = door.rerun("a", "b", quiet=True)
    assert [(cell.path.parent.name, cell.is_new) for cell in again.done] == [("a", True), ("b", True)]


def test_what_another_command_computes_meanwhile_is_not_computed_again(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one ends between the look at the cells' states and the sweep's begin."""
    look = computation.remember
    monkeypatch.setattr(computation, "remember", lambda store, words: (other(), look(store, words)))

    def other() -> None:
        monkeypatch.undo()
        monkeypatch.chdir(here)
        door.run(*FAST, "clients=2", quiet=True)

    capsys.readouterr()
    assert len(door.run(*FAST, "clients=2,3").done) == 2
    told = capsys.readouterr().err
    assert told.count("done by another command in") == 1 and told.count(": done in") == 1


def test_a_store_of_any_name_is_one(here: Path) -> None:
    store = here / "it's, my ${store}"
    cells = door.run(*FAST, store=store, quiet=True)
    assert cells[0].path.parent == store
    assert door.plan(*FAST, store=store).counts == door.plan(store).counts == "1 cell, 1 done"
    assert door.table(store=str(store)).to_csv() == door.table(store).to_csv() == door.table(cells).to_csv()
    folder = here / "a=b"
    store.rename(folder)
    assert len(door.plan(folder)) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["clinets=3"], "did you mean clients"),
        (["-m", "clients=3"], "-m: is of the command line"),
        (["nowhere"], "nowhere: no such folder"),
        ([3], "3: must be text as clients=3,10, a folder"),
        (["method=fedavg clients=3"], "method=fedavg clients=3"),
        ([["clients=3"]], "['clients=3']: must be text"),
        ([["clients=3"], "clients=3"], "are a selection alone"),
        ([], "no sweep was run in runs yet"),
    ],
)
def test_a_mistake_is_one_line(here: Path, words: list[Any], told: str) -> None:
    with pytest.raises(door.FscostError) as refused:
        door.plan(*words)
    assert told in str(refused.value) and "\n" not in str(refused.value)


# --- settings by keyword --------------------------------------------------------------------------


def test_the_keywords_are_the_settings_of_a_table() -> None:
    assert {*TableSettings.__annotations__} == {f.name for f in fields(TableSpec)} - {"connection", "layout", "figures"}


PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.text())
VALUES = st.one_of(PLAIN, st.lists(PLAIN), st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True), PLAIN))
WORDS = [
    "KiB",
    "_",
    "x1",
    "yes",
    "On",
    "null",
    "NULL",
    "True",
    "false",
    "NaN",
    "inf",
    "INF",
    "e1",
    "null_",
    "1_000",
    "ä",
]
HOSTILE = ["it's", "\\", "a\\'", "${oc.env:HOME}", "\\${x}", "a,b", "[1]", "null", "1", " ", "", "\n", {"a": "x}"}]


@pytest.mark.pipeline
@given(st.lists(VALUES, min_size=1, max_size=20))
@example(HOSTILE)
@example(WORDS)
def test_a_value_is_what_it_was_behind_the_words(values: list[Any]) -> None:
    """No character of a text means anything in Hydra's grammar or OmegaConf's."""
    table = planned(["engine=estimate", f"table.rows={written('rows', values)}"], unasked).table
    assert table["rows"] == values


@pytest.mark.pipeline
@given(st.dictionaries(st.text(min_size=1).filter(lambda key: "=" not in key), st.one_of(st.none(), st.text())))
@example({word: word for word in WORDS})
@example({"fedprox": "Ours, (8 'bit') \\", 'a "b", c\'': "${x}", "x": "", "fedprox+quant8": None})
def test_labels_are_what_they_were(labels: dict[str, str | None]) -> None:
    table = planned(["engine=estimate", *table_overrides(None, None, {"labels": labels})], unasked).table
    assert {name: table["labels"][name] for name in labels} == labels


def test_numbers_and_paths_are_taken_as_such() -> None:
    assert [written("k", value) for value in (np.float64(0.5), np.int64(3), np.bool_(True), Path("a b"))] == [
        "0.5", "3", "true", "'a b'",
    ]  # fmt: skip
    for wrong in (object(), np.zeros(2), {3}, b"x"):
        with pytest.raises(door.FscostError, match="must be text, a number"):
            written("table.target", wrong)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of four estimates."""
    folder = tmp_path_factory.mktemp("swept")
    with chdir(folder):
        door.run(*GRID, *FAST, quiet=True)
    return folder


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mesure": "wire"}, "did you mean table.measure"),
        ({"measure": "wires"}, "table.measure=wires: must be one of"),
        ({"layout": "comm_costs"}, "did you mean comm_cost"),
        ({"labels": "Ours"}, "labels='Ours': must be a mapping"),
        ({"labels": {"a=b": "c"}}, "without = in it"),
        ({"columns": [{"a b": 1}]}, "a name has letters"),
        ({"network": {"uplink": 3}}, "did you mean network.uplink_mbps"),
        ({"layout": 3}, "layout=3: must be text or a path"),
        ({"target": "0.9"}, "table.target=0.9: must be a number"),
        ({"columns": ["totl"]}, "did you mean total"),
    ],
)
def test_a_setting_that_there_is_not_is_refused_with_the_nearest(
    swept: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], told: str
) -> None:
    monkeypatch.chdir(swept)
    with pytest.raises(door.FscostError) as refused:
        door.table("runs", **settings)
    assert told in str(refused.value)


def test_a_table_is_the_one_of_the_command_line(
    swept: Path, fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(swept)
    made = door.table("runs", layout="traffic", measure="wire", unit="KiB", labels={"fedprox": "Ours, (8 'bit')"})
    words = ["runs", "table=traffic", "table.measure=wire", "table.unit=KiB", "table.labels.fedprox=Ours, (8 'bit')"]
    for format in ("text", "latex", "markdown", "html", "csv"):
        told, own = fscost("table", *words, "--format", format).out, getattr(made, f"to_{format}")()
        assert without_command(own) == without_command(told)
    assert made._repr_html_() == made.to_html() and repr(made) == made.to_text()
    assert "documentclass" in made.to_latex(standalone=True)


def without_command(text: str) -> str:
    """A table without the line that says which command made it: its words are quoted where the door wrote them."""
    return "\n".join(line for line in text.splitlines() if "fscost table" not in line)


def test_the_command_in_a_table_makes_it_again(
    swept: Path, fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(swept)
    made = door.table("runs", title="it's a, b", best=False, labels={"fedprox": 'x "y"'})
    (line,) = [line for line in made.provenance if "fscost table" in line]
    words = shlex.split(line[line.index("fscost table") :])[1:]
    assert fscost(*words, "--format", "latex").out == made.to_latex()


def test_a_table_is_saved_in_the_format_that_its_file_is_called_after(
    swept: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(swept)
    made = door.table("runs")
    for suffix, text in ((".tex", made.to_latex()), (".md", made.to_markdown()), (".csv", made.to_csv())):
        assert made.save(tmp_path / "new folder" / f"t{suffix}").read_text() == text
    with pytest.raises(door.FscostError, match=r"no format is called so.* \.tex"):
        made.save(tmp_path / "t.doc")
    (tmp_path / "file").touch()
    with pytest.raises(door.FscostError, match="cannot be written"):
        made.save(tmp_path / "file" / "t.md")


def test_a_frame_of_a_table_has_numbers_and_says_what_is_missing(here: Path) -> None:
    door.run("method=fedprox", "clients=2", "seed=0,1", *FAST, quiet=True)
    frame = door.table("method=fedavg,fedprox", "clients=2", "seed=0,1", *FAST, columns=["total", "ratio"]).to_frame()
    sent = 2 * 2 * 650 * 4
    assert frame["total_payload_bytes"].dtype == "Int64" and frame["total_payload_bytes"].tolist() == [pd.NA, sent]
    assert frame["ratio"].isna().all() and frame["clients"].tolist() == [2, 2]
    assert frame["method"].tolist() == ["fedavg", "fedprox"]
    assert frame["marks"].tolist() == ["missing", "ratio: n/a"]
    door.run("method=fedavg", "clients=2", "seed=0,1", *FAST, quiet=True)
    whole = door.table("method=fedavg,fedprox", "clients=2", "seed=0,1", *FAST, columns=["total", "ratio"]).to_frame()
    assert whole["ratio"].dtype == "Float64" and whole["ratio"].tolist() == [1.0, 1.0]
    assert whole["marks"].tolist() == ["", ""]


# --- results --------------------------------------------------------------------------------------


def test_frames_are_those_that_are_written(
    swept: Path, fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(swept)
    frames = door.collect("runs")
    assert repr(frames).startswith("rows: messages 24, workers 0, rounds 0, cells 4")
    assert fscost("collect", "runs", "--out", str(tmp_path)).code == 0
    for name in ("messages", "workers", "rounds", "cells"):
        assert getattr(frames, name).to_csv(index=False) == (tmp_path / f"{name}.csv").read_text()
    saved = {path.name: path.read_bytes() for path in frames.save(tmp_path / "again")}
    assert saved == {name: (tmp_path / name).read_bytes() for name in saved} and len(saved) == 8


def test_what_is_odd_is_a_warning_of_pythons(recorded_logs: Path) -> None:
    with pytest.warns(door.FscostWarning) as caught:
        frames = door.collect(recorded_logs)
    assert [str(one.message) for one in caught] == frames.warnings
    assert {one.filename for one in caught} == {__file__}


def test_a_cell_is_explained_as_the_verb_does(
    swept: Path, fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(swept)
    told = door.explain("clients=2", *FAST)
    assert len(told) == 1
    assert str(told).split() == fscost("explain", "clients=2", *FAST).out.split()


@needs_figures
@pytest.mark.pipeline
def test_a_figure_and_a_page_are_those_of_the_verbs(here: Path, fscost: Callable[..., Result]) -> None:
    grid = ("model=lr,mlp_s", "clients=2", *FAST[::2])
    cells = door.run(*grid, quiet=True)
    figure = door.plot("size", cells, unit="KiB")
    assert fscost("plot", "size", *grid, "table.unit=KiB", "--out", "verb").code == 0
    paths = figure.save("door")
    assert [path.name for path in paths] == ["size.csv", "size.pdf", "size.png"]
    assert paths[0].read_text() == Path("verb/size.csv").read_text() == figure.to_csv()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.to_frame()["params"].dtype == "Int64" and len(figure.figure.axes) == 1
    with pytest.raises(door.FscostError, match="plot sizes: there is no such figure.*did you mean size"):
        door.plot("sizes", cells)
    with pytest.raises(door.FscostError, match="must be column, page or a number of inches"):
        door.plot("size", cells, width=99)
    page = door.report(cells, out="own.html", measure="wire")
    assert page == Path("own.html") and "<html" in page.read_text()


# --- the caller stays as it was -------------------------------------------------------------------

CALLER = Path(__file__).parent / "caller.py"


@needs_figures
@needs_train
@pytest.mark.pipeline
def test_the_callers_process_stays_as_it_was(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, CALLER], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_thread_can_use_it_and_so_can_a_running_loop(here: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(door.run, *FAST, quiet=True).result().counts == "1 cell, 1 done"
        assert pool.submit(main, ["-m", *FAST, "clients=2"]).result() == 0

    async def counts() -> str:
        return door.run(*FAST, "clients=4", quiet=True).counts

    assert asyncio.run(counts()) == "1 cell, 1 done"


@needs_train
@pytest.mark.pipeline
def test_an_interrupt_ends_the_sweep_and_what_is_done_stays(here: Path) -> None:
    grid = ("rounds=1,1000000", "engine=builtin", "model=lr", "hydra.launcher.n_jobs=1")

    def interrupt() -> None:
        until(lambda: [*here.glob("runs/.running/*/progress.json")] and [*here.glob("runs/*/outcome.json")])
        _thread.interrupt_main()

    waiting = threading.Thread(target=interrupt)
    waiting.start()
    with pytest.raises(KeyboardInterrupt):
        door.run(*grid, quiet=True)
    waiting.join()
    assert [cell.status for cell in door.plan(*grid)] == [Status.DONE, Status.INTERRUPTED]
    assert not Path(f"/proc/self/task/{os.getpid()}/children").read_text()


@needs_figures
@needs_train
@pytest.mark.slow
@pytest.mark.skipif(find_spec("nbclient") is None or find_spec("ipykernel") is None, reason="needs nbclient, ipykernel")
def test_a_notebook_runs_and_shows_tables(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    cells = [
        "import asyncio, fscost\nassert asyncio.get_running_loop()",
        f"cells = fscost.run('method=fedavg,fedprox', *{TRAINED!r})\ncells",
        "fscost.table(cells, labels={'fedprox': 'Ours <b>'})",
        "fscost.plot('accuracy', cells)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    done = NotebookClient(notebook, timeout=PATIENCE_S, resources={"metadata": {"path": str(here)}}).execute()
    _, ran, table, figure = (cell["outputs"] for cell in done.cells)
    assert "2 cells: 2 done in" in "".join(out["text"] for out in ran if out["output_type"] == "stream")
    assert "2 cells, 2 done" in ran[-1]["data"]["text/html"]
    assert "Ours &lt;b&gt;" in table[-1]["data"]["text/html"] and "FedAvg" in table[-1]["data"]["text/plain"]
    assert figure[-1]["data"]["image/png"]


def test_some_of_the_cells_are_their_run_directories(here: Path) -> None:
    cells = door.run(*GRID, *FAST, quiet=True)
    assert door.table(cells[1]).to_csv() == door.table(cells[1].path).to_csv()
    some = [cell.path for cell in cells[:2]]
    assert door.table(cells[:2]).to_csv() == door.table(*cells[:2]).to_csv() == door.table(*some).to_csv()
    assert [cell.path for cell in door.rerun(cells[2:], quiet=True)] == [cell.path for cell in cells[2:]]
    with pytest.raises(door.FscostError, match=r"^\[\]: must be .* cells of a plan$"):
        door.rerun(cells.failed)  # none, and not the last sweep


def test_cells_are_where_they_were_in_another_folder(here: Path) -> None:
    cells, shown = door.run(*GRID, *FAST, quiet=True), door.plan("runs")
    table = door.table(cells).to_csv()
    (here / "notes").mkdir()
    with chdir(here / "notes"):
        assert door.table(cells).to_csv() == table
        assert len(door.collect(cells).messages) == len(door.collect(shown).messages) > 0
        assert door.rerun(cells, quiet=True).counts == "4 cells, 4 done"
        assert not list(Path().iterdir())
