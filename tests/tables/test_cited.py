"""Rows of others inside any layout: read from files, marked, cited, and compared with nothing."""

import csv
import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.errors import TableError
from fscost.tables.cited import Quoted, quoted, read_cited
from tests.conftest import Result

KEYS, COLUMNS = ("method", "model", "clients", "data"), ("total", "final", "ratio", "vs ours")
GRID = ("engine=estimate", "rounds=2", "method=fedavg,fedbn", "model=lr,convnet2", "clients=3,10")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("40.7 MB", Quoted(40.7, 1, None, "MB")),
        ("1,234.50kB", Quoted(1234.5, 2, None, "kB")),
        ("91.2 ± 0.4 %", Quoted(91.2, 1, 0.4, "%")),
        ("91.2+/-0.4", Quoted(91.2, 1, 0.4, "")),
        ("3.9×", Quoted(3.9, 1, None, "×")),
        ("4e6 B", Quoted(4e6, -6, None, "B")),
        ("1.50e3", Quoted(1500.0, -1, None, "")),
        (12, Quoted(12.0, 0, None, "")),
        (0.25, Quoted(0.25, 2, None, "")),
    ],
)
def test_numbers_are_read_as_they_are_printed_in_papers(text: object, number: Quoted) -> None:
    assert quoted(text, "here") == number


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lots", "here=lots: must be a number, as 40.7 MB"),
        ("40.7 mb", "units are B, kB, MB"),
        ("40.7 parsecs", "units are B, kB"),
        (True, "must be a number"),
        ("1.2.3 MB", "units are"),
        ("± 3", "must be a number"),
        ("1e400", "must be a number of at most 30 digits"),
        ("1e-4000", "must be a number of at most 30 digits"),
        ("1 ± 1e31", "must be a number of at most 30 digits"),
    ],
)
def test_what_is_no_number_is_refused(text: object, words: str) -> None:
    with pytest.raises(TableError, match="here") as refused:
        quoted(text, "here")
    assert words in str(refused.value)


FILES = {
    "no_source.csv": ("method,total\nfedfoo,3 MB\n", "no_source.csv:2: has no source"),
    "unknown.csv": ("source,metod,total\nLi,fedfoo,3 MB\n", "metod: is no key and no column (did you mean method"),
    "short.csv": ("source,method,total\nLi,fedfoo\n", "short.csv:2: has more or fewer fields than the first line"),
    "long.csv": ("source,method\nLi,fedfoo,3 MB\n", "long.csv:2: has more or fewer fields"),
    "text.yaml": ("just text\n", "must be a list of rows"),
    "broken.yaml": ("- {source: [\n", "is no YAML"),
    "second.yaml": ("- {source: Li}\n- {method: fedfoo}\n", "second.yaml: row 2: has no source"),
    "number.yaml": ("- {source: Li, total: much}\n", "number.yaml: row 1: total=much: must be a number"),
    "deep.yaml": ("[" * 1_000, "is no YAML: nested more than 100 deep"),
    "bomb.yaml": (
        "a: &a [1]\n"
        + "".join(f"b{i}: &b{i} [{', '.join(['*a' if not i else f'*b{i - 1}'] * 10)}]\n" for i in range(9)),
        "its aliases come to more than",
    ),
    "huge.csv": ("source,method\nLi," + "x" * 200_000 + "\n", "is no CSV: field larger"),
    "seeds.yaml": ("- {source: Li, seeds: some}\n", "seeds=some: must be a whole number"),
    "many_seeds.csv": (f"source,seeds\nLi,{'9' * 5_000}\n", "must be a whole number from 1 to 999,999,999"),
    "list.yaml": ("- {source: Li, method: [1, [2]]}\n", "row 1: method=[1, [2]]: must be text or a number"),
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_is_wrong_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    text, words = FILES[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(TableError) as refused:
        read_cited(str(tmp_path / name), KEYS, COLUMNS)
    assert words in str(refused.value)


def test_a_file_that_is_not_there_or_binary_is_told(tmp_path: Path) -> None:
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    for path, words in ((tmp_path / "nowhere.csv", "No such file"), (tmp_path / "picture.csv", "no text in UTF-8")):
        with pytest.raises(TableError, match=words):
            read_cited(str(path), KEYS, COLUMNS)
    with pytest.raises(TableError, match="must be a CSV or YAML file"):
        read_cited([3], KEYS, COLUMNS)


def test_a_label_of_thousands_of_digits_is_text(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text(f"source,method,clients\nLi,fedfoo,{'9' * 5_000}\n")
    (row,) = read_cited(str(tmp_path / "long.csv"), KEYS, COLUMNS)
    assert row.labels == {"method": "fedfoo", "clients": "9" * 5_000}


def test_a_fifo_is_told_at_once_and_a_line_may_have_breaks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(TableError, match="is no regular file"):
        read_cited(str(tmp_path / "pipe.csv"), KEYS, ["total"])
    (tmp_path / "broken.csv").write_text('source,method,total\n"Li\net al.\u2028, 2020",fedfoo,3 MB\n')
    (row,) = read_cited(str(tmp_path / "broken.csv"), KEYS, ["total"])
    assert (row.source, row.labels) == ("Li\net al.\u2028, 2020", {"method": "fedfoo"})


def test_units_stand_in_heads_too_and_empty_fields_say_nothing(tmp_path: Path) -> None:
    file = tmp_path / "theirs.csv"
    head = "\ufeffsource,method,clients,total (MB),total_std,ratio,final,seeds,no_effect"
    file.write_text(f'{head}\n"Li, 2020",fedfoo,"1,000",12.5,0.5,–,,3,x\n')
    (row,) = read_cited(str(file), KEYS, COLUMNS)
    assert (row.source, row.labels, row.seeds) == ("Li, 2020", {"method": "fedfoo", "clients": 1000}, 3)
    assert row.numbers == {"total": Quoted(12.5, 1, 0.5, "MB")}


def test_spreadsheets_that_separate_by_semicolons_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text("source;method;total\nLi, 2020;fedfoo;3 MB\n")
    (row,) = read_cited(str(tmp_path / "theirs.csv"), KEYS, COLUMNS)
    assert (row.source, row.numbers) == ("Li, 2020", {"total": Quoted(3.0, 0, None, "MB")})


YAML = """
- {source: "Li et al., 2020", model: convnet2, clients: 3, method: fedfoo, total: 0.0397 GB, ratio: 0.25}
- {source: "Kim, 2021", model: lr, clients: 3, method: fedbar, uplink: 4.021 KiB}
- {source: "Li et al., 2020", model: transformer, clients: 100, method: fedavg, total: 12 GB}
"""


@pytest.fixture
def with_rows(here: Path, fscost: Callable[..., Result]) -> Callable[..., Result]:
    """The table of a grid with the cited rows."""
    assert fscost(*GRID).code == 0
    Path("theirs.yaml").write_text(YAML)
    return lambda *words: fscost("table", "table.cited=theirs.yaml", *words)


@pytest.mark.pipeline
def test_cited_rows_stand_beside_their_kind_marked_and_compared_with_nothing(with_rows: Callable[..., Result]) -> None:
    out, alone = (
        with_rows("table.unit=MB").out.splitlines(),
        with_rows("table.cited=[]", "table.unit=MB").out.splitlines(),
    )
    rows = [line.split() for line in out if "[" in line and "cited" not in line]
    assert [row[0] for row in rows] == ["LR", "ConvNet-2", "transformer"]
    places = [n for n, line in enumerate(out) if "[" in line and "cited" not in line]
    assert out[places[0] - 1].split()[:4] == ["LR", "650", "3", "FedBN§"]  # behind those with its model and clients
    assert rows[1][-2:] == ["39.7", "0.25"]  # in MB, with the digits that were published
    assert rows[2][-2:] == ["12,000", "n/a"]  # no ratio where its source gives none
    assert "fedbar[1]" in rows[0]
    assert "fedfoo[2]" in rows[1]  # numbered as they appear; a source has one number
    assert "FedAvg[2]" in rows[2]
    assert "[1]: cited, as its source counts, and compared with no other row: Kim, 2021" in out
    bold = [line for line in alone if "*" in line and ":" not in line]
    assert [line.replace("†", "").split() for line in bold] == [
        line.replace("†", "").split() for line in out if "*" in line and ":" not in line
    ]


@pytest.mark.pipeline
def test_cited_rows_are_in_every_format_and_ordered_with_the_others(with_rows: Callable[..., Result]) -> None:
    (row,) = (r for r in csv.DictReader(io.StringIO(with_rows("--format", "csv").out)) if r["method"] == "fedfoo")
    assert (float(row["total_payload_bytes"]), row["cited"]) == (39.7e6, "Li et al., 2020")
    assert r"\tnote{{[}1{]}}" in with_rows("--format", "latex").out
    assert r"\item[{[}1{]}]\,cited" in with_rows("--format", "latex").out
    assert "Kim, 2021" in with_rows("--format", "html").out
    assert "Kim, 2021" in with_rows("--format", "markdown").out
    lines = with_rows("table.order=-total", "table.rows=[method]", "table.columns=[total]", "table.only.model=lr").out
    assert lines.index("fedavg") if "fedavg" in lines else lines.index("FedAvg[")


@pytest.mark.pipeline
def test_a_cited_row_stands_in_its_column_where_an_axis_runs_across(with_rows: Callable[..., Result]) -> None:
    words = ("table=matrix", "table.unit=MB")
    assert "clients=100: is no column; there are 3, 10" in with_rows(*words).err
    Path("theirs.yaml").write_text(YAML.rpartition("\n- ")[0])
    (line,) = (line for line in with_rows(*words).out.splitlines() if "fedfoo" in line)
    assert line.split()[-2:] == ["39.7", "·"]


@pytest.mark.pipeline
def test_an_accuracy_needs_its_percent_sign_and_bytes_their_unit(here: Path, fscost: Callable[..., Result]) -> None:
    pytest.importorskip("torch", reason="trains")
    assert fscost("engine=builtin", "model=lr", "rounds=1").code == 0
    row = "- {{source: Li, method: fedfoo, {}}}"
    for numbers, words in (
        ("final: 91.2", "an accuracy is logged as 0 to 1 here; write 91.2 %"),
        ("total: 40.7", "total=40.7: needs a unit, as 40.7 MB"),
        ("ratio: 3 MB", "needs a number without unit"),
    ):
        Path("theirs.yaml").write_text(row.format(numbers))
        assert words in fscost("table", "table.cited=theirs.yaml", "table.columns=[total,ratio,final]").err
    Path("theirs.yaml").write_text(row.format("final: 91.2 ± 0.4 %, total: 40.7 MB"))
    out = fscost("table", "table.cited=theirs.yaml", "table.columns=[total,final]").out
    assert "91.2  ± 0.4" in out  # its one decimal, with the room of the second that an accuracy of one seed has
    (mine,) = (line for line in out.splitlines() if line.startswith("3  ") or "fedfoo" in line and "±" in line)
    assert "[1]" in mine


@pytest.mark.pipeline
def test_a_tables_own_csv_can_be_cited(with_rows: Callable[..., Result], fscost: Callable[..., Result]) -> None:
    rows = [*csv.DictReader(io.StringIO(with_rows("table.cited=[]", "--format", "csv").out))]
    with Path("theirs.csv").open("w") as file:
        writer = csv.DictWriter(file, [*rows[0], "source"])
        writer.writeheader()
        writer.writerows({**row, "source": "Kim, 2021", "method": f"{row['method']}2"} for row in rows)
    again = [*csv.DictReader(io.StringIO(with_rows("table.cited=theirs.csv", "--format", "csv").out))]
    assert len(again) == 2 * len(rows)
    theirs = {(row["model"], row["clients"], row["method"].removesuffix("2")): row for row in again if row["cited"]}
    for row in rows:
        other = theirs[row["model"], row["clients"], row["method"]]
        assert {name: float(other[name]) for name in row if "_bytes" in name or name == "ratio"} == {
            name: float(row[name]) for name in row if "_bytes" in name or name == "ratio"
        }


@pytest.mark.pipeline
def test_sources_and_labels_may_be_raw_latex(here: Path, fscost: Callable[..., Result]) -> None:
    source, name = r"{latex: '\citet{li2020}', text: Li et al.}", r"{latex: '\textsc{Foo}$_\mu$', text: Foo+Mu}"
    Path("theirs.yaml").write_text(f"- {{source: {source}, method: {name}, model: lr, clients: 3, total: 1 MB}}\n")
    assert fscost(*GRID).code == 0
    words = ("table", *GRID, "table.cited=theirs.yaml", "--format")
    latex = fscost(*words, "latex").out
    assert r"compared with no other row: \citet{li2020}" in latex
    assert r" \textsc{Foo}$_\mu${\smash{\tnote{" in latex
    text = fscost(*words, "text").out
    assert "Foo+Mu[1]" in text and "no other row: Li et al.\n" in text
    assert [row["cited"] for row in csv.DictReader(io.StringIO(fscost(*words, "csv").out)) if row["cited"]] == [
        "Li et al."
    ]
    Path("theirs.yaml").write_text("- {source: {latex: '{', text: a}, method: b, total: 1 MB}\n")
    assert re.search(r"table\.cited\.source=.*the braces of latex be closed", fscost(*words, "text").err)
