"""A quantity, a format and a figure are added as CONTRIBUTING says: in a copy of the code, in these files alone."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fscost.resources import root
from tests.one_process import OneProcess

pytestmark = pytest.mark.pipeline

GRID = ("engine=estimate", "model=mlp_s,lr", "clients=3", "rounds=2")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code with its options and templates, to be changed."""
    for folder in ("fscost", "conf", "templates", "sweeps"):
        shutil.copytree(root() / folder, tmp_path / "checkout" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "checkout"


@pytest.fixture
def run(checkout: Path) -> Iterator[Callable[..., str]]:
    """What the copy's command line prints, with all that was added before its first command."""
    home = checkout.parent / "home"
    home.mkdir()
    with OneProcess(home, checkout) as python:
        yield python.printed


def add(file: Path, before: str, text: str) -> None:
    """Write something into a file, in front of a line that is there."""
    source = file.read_text()
    assert source.count(before) == 1, (file, before)
    file.write_text(source.replace(before, text + before))


def test_a_quantity_is_one_record(checkout: Path, run: Callable[..., str]) -> None:
    add(
        checkout / "fscost" / "tables" / "quantities.py",
        "    *_logged_quantities(),\n)",
        """\
    Quantity("mean_message", "Mean message", Kind.BYTES,
             _of_courses(lambda course: course.total_bytes / course.messages if course.messages else None),
             family="mean_message", sentences=[lambda said: f"{said.name}: all bytes by all messages."]),
""",
    )
    run("-m", *GRID)
    words = ("table", *GRID, "table.columns=[mean_message]", "table.rows=[model]")
    shown = run(*words, "--format", "markdown").splitlines()
    assert shown[2:6] == [
        "| Model  | Mean message (kB)† |",
        "| :----- | -----------------: |",
        "| MLP-16 |               5.16 |",
        "| LR     |               2.60 |",
    ]
    assert "Mean message: all bytes by all messages. kB = 10³ bytes." in shown[7]
    raw = run(*words, "--format", "csv")
    assert raw == "model,mean_message_payload_bytes,seeds\nmlp_s,5160,1\nlr,2600,1\n"


def test_a_format_is_a_module_and_its_template(checkout: Path, run: Callable[..., str]) -> None:
    (checkout / "fscost" / "tables" / "formats" / "wiki.py").write_text(
        '"""Tables as wikis have them."""\n\n'
        "from fscost.tables.formats.format import Format, clean\n\n"
        'FORMAT = Format("wiki", ".wiki", lambda text: clean(text).replace("|", "&#124;"))\n'
    )
    (checkout / "templates" / "table.wiki.j2").write_text(
        "{% for row in table.rows %}\n|-\n{% for entry in row.entries %}\n| {{ entry.full }}\n{% endfor %}\n"
        "{% endfor %}\n"
    )
    run("-m", *GRID)
    words = ("table", *GRID, "table.columns=[total]", "table.rows=[model]", 'table.labels={lr: "a|b"}')
    shown = run(*words, "--format", "wiki")
    assert shown == "|-\n| MLP-16\n| 61.9\n|-\n| a&#124;b\n| 31.2\n"
    run(*words, "--out", "mine.wiki")
    assert (checkout.parent / "home" / "mine.wiki").read_text() == shown
    assert ",wiki}" in run("table", "--help").replace("\n", "").replace(" ", "")
    assert (checkout.parent / "home" / "tables" / "comm_cost.wiki").is_file()  # a sweep writes it too


def test_a_figure_is_its_numbers_and_its_drawing(checkout: Path, run: Callable[..., str]) -> None:
    sketches = checkout / "fscost" / "plots" / "sketches.py"
    add(
        sketches,
        "_KINDS = (\n",
        '''\
def sent(view: View) -> Sketch:
    """Return the bytes that all clients send."""
    panels = view.panels(lambda line: ([view.over_seeds("bytes", sizes)] if (sizes := line.sums(_UP)) else [], ""))
    return Sketch(panels, "B", "Uplink (B)", "", view.caption("Uplink", "B"), view.names(panels), "", view.column)


_UP = ["training_uplink_payload_bytes"]
''',
    )
    kind = 'FigureKind("sent", "what clients send", sent, lambda column: {"bytes": "bytes"}),'
    add(sketches, '    FigureKind(\n        "traffic",\n', f"    {kind}\n")
    bars = checkout / "fscost" / "plots" / "bar_figures.py"
    add(
        bars,
        "DRAWN = {",
        '''\
def sent(sketch: Sketch, page: Page) -> Figure:
    """Return a row for each series."""
    return _panels(sketch, page, lambda panel: [_Bar(s.label, s, s.records) for s in panel.series]).figure


''',
    )
    add(bars, '"traffic": traffic,', '"sent": sent, ')
    run("-m", *GRID)
    told = run("plot", "sent", *GRID, "--out", "figures")
    assert told.startswith("Uplink; one seed.")
    home = checkout.parent / "home"
    assert (home / "figures" / "sent.pdf").read_bytes().startswith(b"%PDF")
    rows = (home / "figures" / "sent.csv").read_text().splitlines()
    assert [row.split(",")[5] for row in rows] == ["bytes", "30288", "15600"]
    assert "sent: what clients send;" in " ".join(run("plot", "--help").split())
