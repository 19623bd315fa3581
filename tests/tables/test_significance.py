"""Which numbers a test over seeds tells from the best, and what stands behind a mean; scipy's own functions agree."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

stats = pytest.importorskip("scipy.stats", reason="pip install 'fscost[statistics]'")

from fscost.errors import ConfigError, TableError  # noqa: E402
from fscost.tables.significance import Judge, corrected, half_width  # noqa: E402
from tests.conftest import Result  # noqa: E402
from tests.tables.recorded import edit_outcome, entries, evaluated, rows_of, runs_of, table_of, unpacked  # noqa: E402

A, B, C = [91.0, 92.5, 90.5, 91.8], [88.0, 90.1, 89.2, 88.7], [91.2, 92.1, 90.9, 91.1]


def seeded(values: list[float]) -> dict[int, float]:
    return dict(enumerate(values))


def test_p_values_are_those_of_scipy() -> None:
    welch, paired = Judge("welch", 0.05, "none"), Judge("paired", 0.05, "none")
    for one, other in ((A, B), (A, C), (B, C), (A, C[:3])):
        expected = stats.ttest_ind(one, other, equal_var=False).pvalue
        assert welch.p_value(seeded(one), seeded(other)) == pytest.approx(expected, rel=1e-9)
        both = min(len(one), len(other))
        expected = stats.ttest_rel(one[:both], other[:both]).pvalue
        assert paired.p_value(seeded(one), seeded(other)) == pytest.approx(expected, rel=1e-9)


def test_seeds_are_paired_by_their_names_and_not_by_their_places() -> None:
    shuffled = {seed: A[seed] for seed in (2, 0, 3, 1)}
    judge = Judge("paired", 0.05, "none")
    assert judge.p_value(shuffled, seeded(B)) == judge.p_value(seeded(A), seeded(B))


@pytest.mark.parametrize("test", ["welch", "paired"])
def test_numbers_that_do_not_vary_differ_with_certainty_or_not_at_all(test: str) -> None:
    judge = Judge(test, 0.05, "holm")
    assert judge.p_value(seeded([5.0, 5.0]), seeded([5.0, 5.0])) == 1
    assert judge.p_value(seeded([5.0, 5.0]), seeded([4.0, 4.0])) == 0
    assert judge.p_value(seeded([5.0]), seeded([4.0, 4.0])) is None


def test_corrections_are_those_of_the_books() -> None:
    values = [0.01, 0.04, 0.03, 0.005]
    assert corrected(values, "none") == values
    assert corrected(values, "bonferroni") == pytest.approx([0.04, 0.16, 0.12, 0.02])
    assert corrected(values, "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])  # never below that of a smaller one
    assert corrected([0.6, 0.7], "holm") == [1.0, 1.0]


def test_the_best_mean_and_what_no_test_tells_from_it() -> None:
    judge = Judge("welch", 0.05, "holm")
    assert judge.best([seeded(A), seeded(B), seeded(C)], "higher") == [True, False, True]
    assert judge.best([seeded(A), seeded(B), seeded(C)], "lower") == [False, True, False]
    assert judge.best([seeded(A), seeded(B), {0: 91.0}], "higher") is None
    # p = 0.03 alone; with two comparisons of it, Holm's is 0.06
    near = [90.0, 90.9, 90.4, 90.5]
    assert stats.ttest_ind(A, near, equal_var=False).pvalue < 0.15


def test_a_confidence_interval_is_students() -> None:
    low, high = stats.t.interval(0.95, 3, sum(A) / 4, stats.sem(A))
    assert half_width(A) == pytest.approx((high - low) / 2, rel=1e-12)
    assert half_width([3.0, 3.0]) == 0
    assert half_width([3.0]) is None


# --- in tables ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("paper"))


def test_bold_is_what_the_test_says_and_the_note_says_which(paper: Path) -> None:
    """Of MLP-16 with 10 clients FedAvg and FedProx are alike and FedPer is not; of MLP-64 nothing can be told apart."""
    table = table_of(paper, columns=["total", "final"], best="significant", only={"model": ["mlp_s", "mlp_m"]})
    bold = {row for row, entry in entries(table, "final").items() if entry.emphasis}
    assert bold == {"mlp_s 10 fedavg", "mlp_s 10 fedprox"}
    for model, clients in (("mlp_s", 10), ("mlp_m", 10), ("mlp_s", 3)):
        runs = {
            m: [evaluated(run)[-1] for run in runs_of(paper, m, model, clients)]
            for m in ("fedavg", "fedper", "fedprox")
        }
        best = max(runs, key=lambda method: sum(runs[method]))
        ps = {m: stats.ttest_ind(runs[best], runs[m], equal_var=False).pvalue for m in runs if m != best}
        told = {m for m, p in zip(ps, corrected([*ps.values()], "holm"), strict=True) if p < 0.05}
        expected = {*runs} - told if told else set()
        assert {row.split()[2] for row in bold if row.startswith(f"{model} {clients} ")} == expected
    assert {row.split()[2] for row, entry in entries(table, "total").items() if entry.emphasis} == {"fedper"}  # exact
    said = "best of those with the same model and clients, and what is not significantly worse (Welch's t-test over "
    assert f"{said}seeds, two-sided, α = 0.05, Holm's correction within a group)" in table.to_text()
    for text in (table.to_latex(), table.to_markdown(), table.to_html()):
        assert "not significantly worse" in text


def test_another_level_is_another_bold_and_the_note_names_what_was_asked_for(paper: Path) -> None:
    strict, loose = (Judge("paired", alpha, "bonferroni") for alpha in (1e-6, 0.5))
    assert strict.best([seeded(A), seeded(B)], "higher") == [True, True]
    assert loose.best([seeded(A), seeded(B)], "higher") == [True, False]
    few: dict[str, Any] = {"columns": ["final"], "only": {"model": ["mlp_m"]}, "best": "significant"}
    table = table_of(paper, **few, test="paired", alpha=0.1, correction="bonferroni")
    assert "(paired t-test over seeds, two-sided, α = 0.1, Bonferroni's correction within a group)" in table.best


def test_pairs_that_all_differ_by_the_same_cannot_be_tested() -> None:
    judge = Judge("paired", 0.05, "holm")
    assert judge.p_value(seeded([91.0, 92.0, 93.0]), seeded([90.0, 91.0, 92.0])) is None
    assert judge.p_value(seeded([91.0, 92.0]), seeded([91.0, 92.0])) == 1
    assert judge.best([seeded([91.0, 92.0, 93.0]), seeded([90.0, 91.0, 92.0])], "higher") is None


def test_single_seeds_are_never_significantly_best(paper: Path) -> None:
    table = table_of(paper, columns=["total", "final"], best="significant", rows=["model", "clients", "seed", "method"])
    assert not any(entry.emphasis for entry in entries(table, "final").values())
    assert any(entry.emphasis for entry in entries(table, "total").values())


def test_intervals_and_least_and_largest_stand_behind_means(paper: Path, fscost: Callable[..., Result]) -> None:
    values = [100 * evaluated(run)[-1] for run in runs_of(paper, "fedper", "mlp_s", 3)]
    few: dict[str, Any] = {"columns": ["total", "final"], "only": {"model": ["mlp_s"]}}
    table = table_of(paper, **few, aggregate="ci95")
    entry = entries(table, "final")["mlp_s 3 fedper"]
    assert entry.spread == f"{half_width(values):.1f}"
    assert "mean ± half of the 95 % confidence interval (Student's t) over n = 3 seeds" in table.counted
    (row, *_) = (row for row in rows_of(table.to_csv()) if row["method"] == "fedper")
    assert float(row["final_test_acc_ci95"]) == pytest.approx((half_width(values) or 0) / 100)
    assert "final_test_acc_std" not in row
    table = table_of(paper, **few, aggregate="min_max")
    entry = entries(table, "final")["mlp_s 3 fedper"]
    assert entry.text == f"{sum(values) / 3:.1f} ({min(values):.1f}–{max(values):.1f})"
    assert "mean (least–largest) over n = 3 seeds" in table.counted
    assert entries(table, "total")["mlp_s 3 fedper"].text == "0.231"  # what does not vary has none
    (row, *_) = (row for row in rows_of(table.to_csv()) if row["method"] == "fedper")
    assert float(row["final_test_acc_min"]) == pytest.approx(min(values) / 100)
    assert table.to_frame()["final_test_acc_max"].max() <= 1
    assert r"\textendash{}" in table.to_latex()


@pytest.fixture
def failed(paper: Path, tmp_path: Path) -> Path:
    """The store of one model with a seed of FedProx that failed."""
    for run in paper.glob("*-mlp_s-*"):
        shutil.copytree(run, tmp_path / "runs" / run.name)
    edit_outcome(runs_of(tmp_path / "runs", "fedprox", "mlp_s", 3)[2], status="failed", reason="gone")
    return tmp_path / "runs"


def test_means_over_the_seeds_that_are_done_are_marked_and_compared_on_request(failed: Path) -> None:
    few: dict[str, Any] = {"columns": ["total", "ratio", "final"]}
    assert entries(table_of(failed, **few), "final")["mlp_s 3 fedprox"].text == "failed"
    table = table_of(failed, **few, seeds="done")
    entry = entries(table, "final")["mlp_s 3 fedprox"]
    assert entry.value == sum(evaluated(run)[-1] for run in runs_of(failed, "fedprox", "mlp_s", 3)[:2]) / 2
    assert entry.note == "[n=2]"
    assert entries(table, "total")["mlp_s 3 fedprox"].note == ""  # bytes are the same whatever the seed
    assert entries(table, "ratio")["mlp_s 3 fedprox"].text == "1.00"
    assert [n.meaning for n in table.notes if n.mark == "[n=2]"] == ["over 2 seeds, the others are not done"]
    assert [row.seeds for row in table.rows] == [3, 3, 2, 3, 3, 3]
    assert not any("not compared" in text for text in table.reading)
    wide = table_of(failed, **few, seeds="done", rows=["model", "method"], across="clients")
    assert [column.key for column in wide.columns].count("seeds") == 0
    assert sum(entry.note == "[n=2]" for row in wide.rows for entry in row.entries) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"best": "significnt"}, "table.best=significnt: must be true, false or significant"),
        ({"test": "student"}, "table.test=student: must be one of welch, paired"),
        ({"alpha": 5}, "table.alpha=5: must be a number between 0 and 1"),
        ({"alpha": True}, "table.alpha=True"),
        ({"correction": "holmes"}, "(did you mean holm?)"),
        ({"best": "significant", "second": True}, "table.second=true: tests tell means apart, and no second"),
        ({"best": "significant", "aggregate": "median"}, "table.aggregate=median: tests tell means apart"),
        ({"seeds": "some"}, "table.seeds=some: must be one of all, done"),
    ],
)
def test_statistics_that_cannot_be_are_refused(paper: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(TableError) as refused:
        table_of(paper, **settings)
    assert words in str(refused.value)


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, paper: Path) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    for settings in ({"best": "significant"}, {"aggregate": "ci95"}):
        with pytest.raises(ConfigError, match=r"scipy is not installed; pip install 'fscost\[statistics\]', or table"):
            table_of(paper, **settings)


# --- digits of estimates --------------------------------------------------------------------------


def test_estimates_have_no_more_digits_than_their_error_leaves(paper: Path) -> None:
    def texts(name: str, **settings: Any) -> dict[str, float]:
        table = table_of(paper, columns=["uplink", "total"], unit="B", **settings)
        return {entry.text.replace(",", ""): entry.value for entry in entries(table, name).values()}

    for name in ("uplink", "total"):
        for text, value in texts(name, measure="network").items():
            assert len(text.strip("0").replace(".", "")) <= 3, text
            assert float(text) == pytest.approx(value, rel=5.1e-3)
    assert any(len(text.strip("0")) > 3 for text in texts("total", measure="network", decimals=0))  # as it was asked
    assert any(len(text.strip("0")) > 3 for text in texts("total"))  # what was counted is exact
