"""Metrics of any name: their direction, their names, percent, and what no run logs."""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fscost.api.results import Results
from fscost.api.selection import select
from fscost.collect import gather, runs_below
from fscost.errors import TableError
from fscost.plots import sketch
from fscost.report.page_views import figures
from fscost.tables import Table, TableSpec
from fscost.tables.shown_columns import metric_shown
from tests.conftest import Result, resealed
from tests.tables.recorded import entries, evaluated, runs_of, table_of, unpacked

COURSE = (0.31, 0.44, 0.52, 0.70, 0.66, 0.64)
LAST, BEST, WORST = COURSE[-1], 0.70, 0.31


def logged(folder: Path, metrics: Mapping[str, Sequence[float]], method: str = "FedAvg", seed: int = 7) -> Path:
    """An output folder of FederatedScope with these metrics after each of its rounds."""
    folder.mkdir(parents=True)
    rounds = len(next(iter(metrics.values())))
    more = "fedprox: {use: true, mu: 0.1}\n" if method == "FedProx" else ""
    (folder / "config.yaml").write_text(
        f"federate: {{client_num: 4, total_round_num: {rounds}, method: FedAvg, sample_client_num: 4}}\n"
        f"data: {{type: femnist}}\nmodel: {{type: convnet2}}\neval: {{freq: 1}}\nseed: {seed}\n{more}"
    )
    counters = "".join(f'{{"id": {n}, "total_upload_bytes": 9, "total_download_bytes": 12}}\n' for n in range(5))
    (folder / "system_metrics.log").write_text(counters)
    lines = [
        {"Role": "Server #", "Round": n, "Results_weighted_avg": {name: values[n] for name, values in metrics.items()}}
        for n in range(rounds)
    ]
    (folder / "eval_results.log").write_text("".join(f"{line}\n" for line in lines))
    return folder


def course(name: str, *values: float) -> dict[str, Sequence[float]]:
    values = values or COURSE
    return {name: values, "val_total": [20.0] * len(values)}


def only(table: Table, key: str) -> Any:
    (entry,) = entries(table, key).values()
    return entry


def reason(table: Table) -> str:
    return next(note.meaning for note in table.notes if note.mark == "n/a")


# --- the names ------------------------------------------------------------------------------------


def test_an_accuracy_of_another_name_is_one(tmp_path: Path, fscost: Callable[..., Result]) -> None:
    folder = str(logged(tmp_path / "exp", course("val_accuracy")))
    text = fscost("table", folder, "table=accuracy_cost", "table.metric=val_accuracy", "--format", "markdown").out
    assert "| Val accuracy (%) ↑ | Best val accuracy (%) ↑ |" in text
    assert re.search(r"\| +64\.00 \| +70\.00 \|", text)
    until = fscost("table", folder, "table=to_target", "table.target=0.5", "table.metric=val_accuracy").out
    assert "Until 50 % val accuracy" in until
    assert only(table_of(tmp_path, columns=["rounds_to"], metric="val_accuracy"), "rounds_to").value == 3
    assert list(gather(runs_below(tmp_path)).cells["best_val_accuracy"]) == [BEST]


@pytest.mark.parametrize(
    ("metric", "head", "best", "rounds"),
    [
        ("test_acc", "Accuracy ↑", BEST, 3),
        ("val_f1_macro", "Val F1 macro ↑", BEST, 3),
        ("val_rougeL", "Val ROUGE-L ↑", BEST, 3),
        ("test_hits@5", "Test hits@5 ↑", BEST, 3),
        ("testAcc", "Test accuracy ↑", BEST, 3),
        ("val_perplexity", "Val perplexity ↓", WORST, 1),
        ("val_rmse", "Val RMSE ↓", WORST, 1),
        ("server_err", "Server err ↓", WORST, 1),
    ],
)
def test_final_best_target_arrow_and_sentence_are_of_one_mind(
    tmp_path: Path, metric: str, head: str, best: float, rounds: int
) -> None:
    logged(tmp_path / "exp", course(metric))
    table = table_of(tmp_path, columns=["final", "best", "rounds_to"], metric=metric, target=0.5)
    (column,) = [column for column in table.columns if column.raw.startswith("final")]
    assert column.full_head.replace(" (%)", "") == head
    assert (only(table, "final").value, only(table, "best").value) == (LAST, best)
    assert only(table, "rounds_to").value == rounds
    assert any(f": {'highest' if best == BEST else 'lowest'} of all" in text for text in table.reading)


def test_two_methods_are_compared_in_the_direction_of_the_metric(tmp_path: Path) -> None:
    for metric, bold in (("val_rougeL", "fedprox"), ("val_ppl", "fedavg"), ("val_foo", None)):
        store = tmp_path / metric
        logged(store / "one", course(metric, 0.2, 0.4))
        logged(store / "two", course(metric, 0.2, 0.6), "FedProx")
        table = table_of(store, columns=["final", "best"], metric=metric)
        best = {row.split()[-1] for row, entry in entries(table, "final").items() if entry.emphasis == "best"}
        assert best == ({bold} if bold else set())


# --- what nobody knows ----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["val_foo", "val_total", "acc_std", "neg_loss"])
def test_a_metric_that_nobody_knows_has_no_best_and_says_how_to_tell(tmp_path: Path, metric: str) -> None:
    logged(tmp_path / "exp", {metric: COURSE})
    table = table_of(tmp_path, columns=["final", "best"], metric=metric)
    assert [column.better for column in table.columns if column.is_number] == ["", ""]
    assert (only(table, "final").value, only(table, "best").text) == (LAST, "n/a")
    assert reason(table) == f"not known; nobody knows which way of {metric} is better"
    assert table.reading[-1].startswith(f"{metric}: nobody knows which way is better; table.better=higher or")
    assert gather(runs_below(tmp_path)).cells[f"best_{metric}"].isna().all()
    with pytest.raises(TableError, match=rf"table.metric={metric}: nobody knows when .* table.better=higher or"):
        table_of(tmp_path, columns=["rounds_to"], metric=metric)


@pytest.mark.parametrize(("better", "best", "rounds", "arrow"), [("higher", BEST, 3, "↑"), ("lower", WORST, 1, "↓")])
@pytest.mark.parametrize("metric", ["val_foo", "val_loss", "val_acc"])
def test_what_is_told_holds_everywhere(
    tmp_path: Path, metric: str, better: str, best: float, rounds: int, arrow: str
) -> None:
    logged(tmp_path / "one", course(metric))
    logged(tmp_path / "two", course(metric, *(value / 2 for value in COURSE)), "FedProx")
    table = table_of(tmp_path, columns=["final", "best", "rounds_to"], metric=metric, target=0.5, better=better)
    found = {key: {row.split()[-1]: e for row, e in entries(table, key).items()} for key in ("best", "rounds_to")}
    assert found["best"]["fedavg"].value == pytest.approx(best)
    assert found["rounds_to"]["fedavg"].value == rounds
    assert [name for name, e in found["best"].items() if e.emphasis] == ["fedavg" if better == "higher" else "fedprox"]
    assert {column.better for column in table.columns if column.raw.startswith(("final", "best"))} == {arrow}


def test_a_column_may_tell_it_alone(tmp_path: Path) -> None:
    logged(tmp_path / "exp", {"val_foo": COURSE, "val_bar": COURSE})
    told = {"quantity": "best", "metric": "val_foo", "better": "higher"}
    table = table_of(tmp_path, columns=[told, {"quantity": "best", "metric": "val_bar"}])
    assert [entry.text for entry in table.rows[0].entries[-2:]] == ["0.700", "n/a"]


def test_the_highest_and_the_lowest_have_raw_names_of_their_own(tmp_path: Path) -> None:
    logged(tmp_path / "exp", course("val_foo"))
    both = [{"quantity": "best", "better": better} for better in ("higher", "lower")]
    table = table_of(tmp_path, columns=[*both, "final"], metric="val_foo")
    assert [c.raw for c in table.columns if c.is_number] == [
        "best_val_foo_higher",
        "best_val_foo_lower",
        "final_val_foo",
    ]
    assert [entry.text for entry in table.rows[0].entries[-3:]] == ["0.700", "0.310", "0.640"]


@pytest.mark.parametrize("better", ["up", True, 1, "Higher"])
def test_it_is_told_by_one_of_two_words(better: Any) -> None:
    with pytest.raises(TableError, match=f"table.better={better}: must be one of higher, lower"):
        TableSpec(better=better)


def test_it_is_a_setting_of_the_command_line(tmp_path: Path, fscost: Callable[..., Result]) -> None:
    folder = str(logged(tmp_path / "exp", course("val_foo")))
    settings = ("table=to_target", "table.metric=val_foo", "table.target=0.5")
    refused = fscost("table", folder, *settings)
    assert (refused.code, "nobody knows" in refused.err.splitlines()[-1]) == (2, True)
    assert "Until 0.5 val foo" in fscost("table", folder, *settings, "table.better=higher").out
    assert fscost("table", folder, *settings, "table.better=null").code == 2


# --- what no run logs -----------------------------------------------------------------------------


def test_a_metric_that_no_run_logs_is_refused_with_those_there_are(tmp_path: Path) -> None:
    logged(tmp_path / "exp", course("val_accuracy"))
    for columns in (["total", "final"], ["best"], ["rounds_to"]):
        with pytest.raises(TableError, match=r"there are val_accuracy, val_total \(did you mean val_accuracy\?\)"):
            table_of(tmp_path, columns=columns, metric="val_acuracy")


def test_the_default_table_leaves_out_an_accuracy_that_no_run_logs(tmp_path: Path) -> None:
    logged(tmp_path / "exp", course("val_f1"))
    table = table_of(tmp_path, columns=["total", "rounds", "final"])
    assert [column.head for column in table.columns if column.is_number] == ["Total", "Rounds"]
    assert "test_acc is not logged by these runs; table.metric= can be val_f1, val_total." in table.reading
    with pytest.raises(TableError, match="test_acc: is not logged by these runs; there are val_f1, val_total"):
        table_of(tmp_path, columns=["final", "best"])
    with pytest.raises(TableError, match="test_acc: is not logged by these runs; there are val_f1, val_total"):
        table_of(tmp_path, columns=["total", "rounds_to"])


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ({"test_acc", "test_avg_loss"}, "test_acc"),
        ({"val_accuracy", "test_avg_loss"}, "val_accuracy"),
        ({"val_acc", "test_accuracy", "val_avg_loss"}, "val_avg_loss"),  # which of two nobody knows
        ({"test_loss", "test_avg_loss", "test_total"}, "test_avg_loss"),
        ({"test_total"}, "test_acc"),
        (set(), "test_acc"),
    ],
)
def test_what_is_logged_stands_for_the_default_metric(names: set[str], shown: str) -> None:
    assert metric_shown("test_acc", names) == shown
    assert metric_shown("val_f1", names) == "val_f1"


def test_the_default_table_shows_the_loss_where_no_accuracy_is_logged(tmp_path: Path) -> None:
    logged(tmp_path / "exp", course("test_avg_loss"))
    table = table_of(tmp_path, columns=["total", "final", "best"])
    heads = [column.head for column in table.columns if column.is_number]
    assert heads == ["Total", "Test avg loss", "Best test avg loss"]
    assert {entry.text for entry in entries(table, "best").values()} != {"n/a"}
    assert any("test_acc is not logged by these runs, test_avg_loss stands for it" in said for said in table.reading)


def test_no_accuracy_of_nothing_but_unknowns_is_shown(tmp_path: Path) -> None:
    folder = logged(tmp_path / "exp", course("val_f1"))
    (folder / "eval_results.log").unlink()
    table = table_of(tmp_path, columns=["total", "final"])
    assert [column.head for column in table.columns if column.is_number] == ["Total"]
    assert "No metric is logged by these runs, neither test_acc nor another." in table.reading


def test_what_one_of_the_runs_logs_is_not_known_of_the_other(tmp_path: Path) -> None:
    logged(tmp_path / "one", course("val_acc"))
    logged(tmp_path / "two", course("val_f1"), "FedProx")
    table = table_of(tmp_path, columns=["final", "best", "rounds_to"], metric="val_f1")
    assert [entry.text for entry in entries(table, "final").values()] == ["n/a", "0.640"]
    assert [entry.text for entry in entries(table, "rounds_to").values()] == ["n/a", "3"]
    assert reason(table) == "not known; no number of val_f1 was logged"


@pytest.mark.parametrize("name", ["avg_bytes", "x_messages", "rounds", "seed", "params", "round", "cell", "worker"])
def test_a_metric_may_have_the_name_of_a_count(tmp_path: Path, name: str) -> None:
    logged(tmp_path / "exp", {name: (0.315, 12.5, 0.2), "test_acc": (0.1, 0.3, 0.2)})
    frames = gather(runs_below(tmp_path))
    assert (list(frames.rounds["round"]), frames.cells["seed"][0], frames.cells["rounds"][0]) == ([1, 2, 3], 7, 3)
    table = table_of(tmp_path, columns=["final", "best", "rounds_to"], target=0.3)
    assert [only(table, key).text for key in ("final", "best", "rounds_to")] == ["20.00", "30.00", "2"]


def written(folder: Path, *values: str) -> Path:
    """An output folder whose accuracies are written in the log like that."""
    run = logged(folder, course("test_acc", *map(float, range(2, 2 + len(values)))))
    text = (run / "eval_results.log").read_text()
    for number, value in enumerate(values, start=2):
        text = text.replace(f"'test_acc': {number}.0", f"'test_acc': {value}")
    (run / "eval_results.log").write_text(text)
    return run


@pytest.mark.parametrize(
    "form", ["np.float64({})", "numpy.float32({})", "tensor({})", "tensor({}, device='cuda:0')", "array({})",
             "torch.tensor({}, dtype=torch.float64)", "{}"],
)  # fmt: skip
def test_a_number_is_one_however_numpy_and_torch_write_it(tmp_path: Path, form: str) -> None:
    written(tmp_path / "exp", form.format("nan"), form.format("7.5e-1"), form.format("0.5"))
    frames = gather(runs_below(tmp_path))
    assert [str(value) for value in frames.rounds["test_acc"]] == ["nan", "0.75", "0.5"]
    assert list(frames.rounds["val_total"]) == [20.0] * 3
    assert not any("left out" in warning for warning in frames.warnings)


@pytest.mark.parametrize("odd", ["[[5, 0], [1, 4]]", "{'f1': 0.3}", "'precision    recall'", "(1, 2)"])
def test_what_is_no_number_costs_no_other_metric(tmp_path: Path, odd: str) -> None:
    written(tmp_path / "exp", "0.5", odd, "0.7")
    frames = gather(runs_below(tmp_path))
    assert list(frames.rounds["round"]) == [1, 2, 3]
    assert list(frames.rounds["val_total"]) == [20.0] * 3
    assert [str(value) for value in frames.rounds["test_acc"]] == ["0.5", "nan", "0.7"]


# --- percent --------------------------------------------------------------------------------------

PERCENT = tuple(100 * value for value in COURSE)


@pytest.mark.parametrize("metric", ["test_acc", "val_accuracy", "test_top5_acc"])
def test_an_accuracy_in_percent_is_printed_as_it_is(tmp_path: Path, metric: str) -> None:
    logged(tmp_path / "exp", course(metric, *PERCENT))
    table = table_of(tmp_path, columns=["final", "best", "rounds_to"], metric=metric, target=50)
    assert [only(table, key).text for key in ("final", "best", "rounds_to")] == ["64.00", "70.00", "3"]
    assert {column.unit for column in table.columns if column.raw.startswith(("final", "best"))} == {"%"}
    assert any(column.group.startswith("Until 50 % ") for column in table.columns)


def test_percents_of_the_first_round_may_be_below_1(tmp_path: Path) -> None:
    logged(tmp_path / "exp", course("test_acc", 0.9, 30.0, 55.5))
    table = table_of(tmp_path, columns=["final", "rounds_to"], target=50)
    assert (only(table, "final").text, only(table, "rounds_to").value) == ("55.50", 3)


def test_a_mean_of_shares_that_rounding_made_more_than_1_is_a_share(tmp_path: Path) -> None:
    logged(tmp_path / "exp", course("test_acc", 0.5, 1.0000000000000002))
    assert only(table_of(tmp_path, columns=["final"]), "final").text == "100.00"


@pytest.mark.parametrize("values", [(12.0, 700.0), (-0.5, 0.7)])
def test_what_is_neither_a_share_nor_percent_is_printed_as_it_is(tmp_path: Path, values: tuple[float, ...]) -> None:
    logged(tmp_path / "exp", course("test_acc", *values))
    table = table_of(tmp_path, columns=["final"])
    assert float(only(table, "final").text) == values[-1]
    assert table.columns[-1].full_head == "Accuracy ↑"


@pytest.mark.parametrize(
    ("values", "target", "words"),
    [
        (PERCENT, 0.5, "log test_acc in percent; write 90 for 90 %"),
        (PERCENT, 101, "in percent"),
        (COURSE, 50, "0 to 1"),
    ],
)
def test_a_target_is_what_the_runs_can_reach(
    tmp_path: Path, values: tuple[float, ...], target: float, words: str
) -> None:
    logged(tmp_path / "exp", course("test_acc", *values))
    with pytest.raises(TableError, match=f"table.target={target}: .*{words}"):
        table_of(tmp_path, columns=["rounds_to"], target=target)


def test_shares_beside_percents_are_refused(tmp_path: Path) -> None:
    logged(tmp_path / "one", course("test_acc", 0.1, 0.7))
    logged(tmp_path / "two", course("test_acc", 10.0, 70.0), "FedProx")
    with pytest.raises(TableError, match="as a share, at most 0.7, and .* in percent, 70; select runs of one kind"):
        table_of(tmp_path, columns=["total", "final"])
    assert table_of(tmp_path, columns=["total"])


# --- why there is no number -----------------------------------------------------------------------


def test_relative_to_a_baseline_that_did_not_reach_the_target(tmp_path: Path) -> None:
    logged(tmp_path / "one", course("val_acc", 0.1, 0.4))
    logged(tmp_path / "two", course("val_acc", 0.1, 0.6), "FedProx")
    table = table_of(tmp_path, columns=["rounds_to", "speedup"], metric="val_acc")
    assert [entry.text for entry in entries(table, "rounds_to").values()] == ["2+", "2"]
    assert [entry.text for entry in entries(table, "speedup").values()] == ["—", "n/a"]
    assert reason(table) == "not known; the baseline did not reach the target"


def test_bytes_until_a_target_without_a_ledger(tmp_path: Path) -> None:
    logged(tmp_path / "one", course("val_acc"))
    table = table_of(tmp_path, columns=["rounds_to", "bytes_to"], metric="val_acc")
    assert [entry.text for entry in table.rows[0].entries[-2:]] == ["3", "n/a"]
    assert reason(table) == "not known; how many bytes were sent until the target"


@pytest.mark.parametrize(("until", "why"), [(2, "was not evaluated"), (3, "is no number")])
def test_the_end_of_a_course_may_have_no_metric(tmp_path: Path, until: int, why: str) -> None:
    run = logged(tmp_path / "one", course("val_loss", 0.5, 0.4, float("nan")))
    lines = (run / "eval_results.log").read_text().splitlines(keepends=True)
    (run / "eval_results.log").write_text("".join(lines[:until]))
    table = table_of(tmp_path, columns=["final", "best"], metric="val_loss")
    assert (only(table, "final").text, only(table, "best").value) == ("n/a", 0.4)
    assert reason(table) == f"not known; val_loss {why} after the last round"


def test_a_sweep_is_refused_before_it_runs(here: Path, fscost: Callable[..., Result]) -> None:
    grid = ("engine=builtin", "model=lr", "clients=2", "rounds=1", "table=to_target")
    for settings, words in ((["table.metric=test_foo"], "nobody knows when"), (["table.target=90"], "0.9 for 90 %")):
        refused = fscost(*grid, *settings)
        assert (refused.code, words in refused.err) == (2, True)
    assert not (here / "runs").exists()


# --- figures and the report -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("paper"))


def renamed(paper: Path, store: Path, metric: str, factor: float = 1) -> Path:
    """A recorded run whose accuracy has another name, or is logged in percent."""
    run = shutil.copytree(runs_of(paper, "fedavg", "mlp_s", 3)[0], store / "one")
    text = (run / "eval_results.log").read_text()
    text = re.sub(r"'test_acc': ([\d.]+)", lambda found: f"'{metric}': {factor * float(found[1])}", text)
    (run / "eval_results.log").write_text(text)
    return resealed(run)


@pytest.mark.parametrize(("metric", "factor"), [("val_accuracy", 1), ("test_acc", 100), ("test_foo", 1)])
def test_figures_and_report_know_what_tables_know(paper: Path, tmp_path: Path, metric: str, factor: float) -> None:
    values = evaluated(renamed(paper, tmp_path / "runs", metric, factor), metric)
    subject = Results(select([str(tmp_path / "runs"), f"table.metric={metric}"])).subject()
    made = sketch("accuracy", subject.compared, subject.spec)
    assert [record[metric] for record in made.records] == values
    shown = figures(subject)["accuracy payload training"]
    is_accuracy = metric != "test_foo"
    assert (shown["is_rate"], shown["factor"]) == (is_accuracy, 100 if is_accuracy and factor == 1 else 1)
    assert made.y == {"val_accuracy": "Val accuracy (%)", "test_acc": "Accuracy (%)", "test_foo": "Test foo"}[metric]
    assert shown["y"] == made.y


@pytest.mark.pipeline
def test_a_figure_shows_what_stands_for_the_default_metric_and_refuses_another_that_no_run_logs(
    paper: Path, tmp_path: Path
) -> None:
    renamed(paper, tmp_path / "runs", "val_accuracy")
    drawn = figures(Results(select([str(tmp_path / "runs")])).subject())["accuracy payload training"]
    assert drawn["y"] == "Test avg loss"  # which of two accuracies nobody knows
    subject = Results(select([str(tmp_path / "runs"), "table.metric=val_f1"])).subject()
    refused = figures(subject)["accuracy payload training"]["refused"]
    assert refused.startswith("table.metric=val_f1: is not logged by these runs; there are test_avg_loss")
