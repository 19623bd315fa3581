"""Figures that others published, computed from cells; and the layout that prints both."""

import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from fscost.cells.cell import Cell
from fscost.collect import gather
from fscost.engine.estimate import EstimateEngine
from fscost.errors import TableError
from fscost.protocol.model_shapes import Shape, shapes_of
from fscost.resources import conf, root
from fscost.store.ledger_file import read_ledger
from fscost.store.store import Store
from fscost.tables import Table, TableSpec
from fscost.tables.formats import FORMATS
from fscost.tables.marks import OTHER_DIGITS
from fscost.tables.published import published
from fscost.tables.render import render
from tests.conftest import Result, cells_of, execute

GRIDS = yaml.safe_load((root() / "sweeps" / "published.yaml").read_text())["grids"]
LAYOUT = yaml.safe_load((conf() / "table" / "published.yaml").read_text())
MIB, GIB, GB = 2**20, 2**30, 10**9


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return [cell for grid in GRIDS for cell in cells_of("engine=estimate", *grid.split())]


@pytest.fixture(scope="module")
def store(cells: list[Cell], tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("published") / "runs")
    for cell in cells:
        EstimateEngine().check(cell)
        execute(cell, made, EstimateEngine())
    return made


@pytest.fixture(scope="module")
def frame(store: Store, cells: list[Cell]) -> pd.DataFrame:
    return gather((cell, store.of(cell)) for cell in cells).cells


def table_of(frame: pd.DataFrame, cells: list[Cell], **layout: Any) -> Table:
    return published(frame, cells, TableSpec.from_config(LAYOUT | layout), label="published")


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ({"published": "0.1", "unit": "GB"}, ("0.1", "<0.01", "-98.41")),
        ({"published": "1e-3", "unit": "GB"}, ("0.001", "0.0016", "+59.37")),
        ({"published": "2", "unit": "GB"}, ("2", "<0.1", "-99.92")),
        ({"published": "0.0015937", "unit": "GB"}, ("0.0015937", "0.00159368", ">-0.01")),
        ({"published": "0.1", "unit": "GB", "measure": "scalar", "links": ["uplink"]}, ("0.1", "<0.01", "-100.00")),
        ({"published": "199,210", "measure": "parameters"}, ("199,210", "199,210", "0.00")),
    ],
)
def test_no_number_is_rounded_to_zero(
    row: dict[str, Any], texts: tuple[str, ...], frame: pd.DataFrame, cells: list[Cell]
) -> None:
    (made,) = table_of(frame, cells, figures=[row_of(**row)]).rows
    assert tuple(entry.text for entry in made.entries[2:5]) == texts


def row_of(**others: Any) -> dict[str, Any]:
    return {"source": "s", "quantity": "q", "published": "2.0", "where": {"model": "mcmahan_2nn"}} | others


def message(store: Store, cells: list[Cell], model: str, **options: Any) -> dict[str, int]:
    """Return the bytes of one downlink model_para of the cell with this model and these options, and its params."""
    fitting = [c for c in cells if c.axes["model"] == model and all(c.get(k) == v for k, v in options.items())]
    ledger = read_ledger(store.of(fitting[0]).ledger)
    row = next(r for r in ledger.messages if (r["type"], r["link"]) == ("model_para", "downlink"))
    assert len(fitting) == 1
    return {key: row[key] / row["messages"] for key in ("payload_bytes", "wire_bytes")} | ledger.header


@pytest.mark.parametrize(
    ("bits", "options"),
    [
        ("25.193", {"quantization.method": None}),
        ("12.601", {"quantization.nbits": 16}),
        ("6.306", {"quantization.method": "uniform", "quantization.nbits": None}),  # 8 is the default
    ],
)
def test_federatedscopes_quantised_convnet2(
    bits: str, options: dict[str, Any], store: Store, cells: list[Cell]
) -> None:
    assert f"{message(store, cells, 'convnet2_h2048', **options)['payload_bytes'] / MIB:.3f}" == bits


def test_federatedscopes_message_in_the_grpc_channel(store: Store, cells: list[Cell]) -> None:
    found = message(store, cells, "convnet2_h128")
    assert f"{found['wire_bytes'] / MIB:.3f}" == "4.019"
    assert 0 < found["wire_bytes"] - 4_214_694 <= 40  # it counts no more than part of what stands beside the content
    assert found["payload_bytes"] == 1_848_064 + 2 * 4  # it takes the two counters for 4 bytes each, they have 8
    assert f"{found['wire_bytes'] / found['payload_bytes']:.2f}" == "2.28"


@pytest.mark.parametrize(
    ("model", "params", "each_bytes"), [("mcmahan_cnn", 1_663_370, 6_653_480), ("mcmahan_2nn", 199_210, 796_840)]
)
def test_the_models_of_fedavg(model: str, params: int, each_bytes: int, store: Store, cells: list[Cell]) -> None:
    found = message(store, cells, model)
    assert (found["params"], found["payload_bytes"]) == (params, each_bytes)


@pytest.mark.parametrize(
    ("model", "params", "unit", "text"),
    [
        ("mistral_7b_lora_r32", 13_631_488, GIB, "40.625"),
        ("llama32_3b_lora_r32", 9_175_040, GIB, "27.344"),
        ("fedpara_vgg16_original", 15_250_000, GB, "390.400"),
        ("fedpara_vgg16", 1_550_000, GB, "39.680"),
    ],
)
def test_totals_of_all_clients_and_rounds(model: str, params: int, unit: int, text: str, frame: pd.DataFrame) -> None:
    (row,) = frame[(frame["model"] == model) & (frame["rounds"] == 200)].to_dict("records")
    assert row["params"] == params
    total = row["training_uplink_payload_bytes"] + row["training_downlink_payload_bytes"]
    assert total == 2 * row["clients"] * row["rounds"] * 4 * params
    assert f"{total / unit:.3f}" == text


def varint(value: int) -> int:
    return (value.bit_length() + 6) // 7 or 1


def field(length: int) -> int:
    return 1 + varint(length) + length


def in_flower(shape: Shape) -> int:
    """Bytes of an entry of Flower's serialised ArrayRecord: name, and dtype, shape, kind and npy file of a tensor."""
    npy = 128 + 4 * math.prod(shape.shape)
    array = [len(shape.dtype), sum(varint(size) for size in shape.shape), len("numpy.ndarray"), npy]
    return field(len(shape.name)) + field(sum(map(field, array)))


@pytest.mark.parametrize(
    ("model", "payload", "serialised"), [("mistral_7b_lora", "40.625", "40.65"), ("llama32_3b_lora", "27.344", "27.36")]
)
def test_what_flower_adds_to_the_payload(model: str, payload: str, serialised: str, cells: list[Cell]) -> None:
    """The leaderboard counts serialised messages; 2 clients, both ways, 200 rounds."""
    (cell,) = (c for c in cells if (c.axes["model"], c.axes["rounds"]) == (f"{model}_r32", 200))
    shapes = shapes_of(cell.get("model.spec"))
    messages = 2 * 2 * 200
    assert f"{messages * sum(4 * math.prod(s.shape) for s in shapes) / GIB:.3f}" == payload
    assert f"{messages * sum(in_flower(s) for s in shapes) / GIB:.2f}" == serialised


def test_federatedscopes_average_over_server_and_clients(fscost: Callable[..., Result], here: Path) -> None:
    (here / "exp").mkdir()
    config = {"federate": {"client_num": 3, "total_round_num": 5}, "model": {"type": "lr"}, "data": {"type": "toy"}}
    (here / "exp" / "config.yaml").write_text(yaml.safe_dump(config))
    counted = {0: 114072, 1: 39504, 2: 39504, 3: 39504}
    lines = [{"id": i, "total_upload_bytes": size, "total_download_bytes": 0} for i, size in counted.items()]
    (here / "exp" / "system_metrics.log").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert fscost("collect", "exp", "--out", "frames").code == 0
    (row,) = csv.DictReader(io.StringIO((here / "frames" / "cells.csv").read_text()))
    assert row["sys_avg_total_upload_bytes"] == "56.78K"


class TestLayout:
    def test_every_row_has_its_cell_and_is_near_what_was_published(
        self, frame: pd.DataFrame, cells: list[Cell]
    ) -> None:
        table = table_of(frame, cells)
        heads = ["Source", "Quantity", "Published", "Computed", "Difference", "Convention"]
        assert [c.head for c in table.columns] == heads
        assert len(table.rows) == len(LAYOUT["figures"])
        for asked, row in zip(LAYOUT["figures"], table.rows, strict=True):
            figure, computed, difference = (entry.value for entry in row.entries[2:5])
            assert difference == 100 * (computed / figure - 1)
            has_digits = float(f"{computed:.{len(asked['published'].partition('.')[2])}f}") == figure
            assert has_digits != (OTHER_DIGITS in row.entries[3].notes)
            assert has_digits or abs(difference) < 0.25 or asked["why"]
        by_quantity = {row.entries[1].text: [entry.text for entry in row.entries[2:]] for row in table.rows}
        payload = "MiB, one down"
        assert by_quantity["model, 8 bit"] == ["6.31", "6.306", "-0.07", payload]
        assert by_quantity["gRPC message, v0.3.0"][:3] == ["4.021", "4.0195", "-0.04"]
        assert by_quantity["CNN"] == ["1,663,370", "1,663,370", "0.00", "parameters"]
        assert by_quantity["VGG16, 200 rounds, 16 clients"][:3] == ["390.4", "390.40", "0.00"]

    def test_what_others_digits_mean_is_told(self, frame: pd.DataFrame, cells: list[Cell]) -> None:
        table = table_of(frame, cells)
        (note,) = (note for note in table.notes if note.mark == "*")
        assert note.meaning.startswith("other digits than published; ")
        assert note.meaning.count("not explained") == 2
        (none,) = table_of(frame, cells, figures=[row_of(unit="kB", published="1593.7")]).rows
        assert none.entries[3].notes == ()

    @pytest.mark.parametrize(
        ("quantity", "number", "text"),
        [
            ("ResNet-18 on CIFAR-10, 24 steps", 4 * 24 * 11_173_962 / MIB, "1,023.0"),
            ("the same, rank 1", 4 * 24 * 45_935 / MIB, "4.2"),
            ("the same, rank 2", 4 * 24 * 82_260 / MIB, "7.5"),
            ("the same, rank 4", 4 * 24 * 154_910 / MIB, "14.2"),
            ("LSTM on Wikitext-2, 70 steps", 4 * 70 * 28_949_319 / MIB, "7,730.3"),
            ("ResNet-50, one gradient", 4 * 25_557_032 / MIB, "97.5"),
            ("client and round, 4,096 seeds", (4096 * 4 + 200 * 8) / 1000, "18.0"),
            ("RoBERTa large, r = 8, of LoRA", 100 * 393_216 / 786_432, "50.0"),
            ("Mistral-7B, r = 32, of LoRA", 100 * 5_242_880 / 13_631_488, "38.5"),
        ],
    )
    def test_pocket_calculator(
        self, quantity: str, number: float, text: str, frame: pd.DataFrame, cells: list[Cell]
    ) -> None:
        (row,) = (row for row in table_of(frame, cells).rows if row.entries[1].text == quantity)
        assert row.entries[3].value == pytest.approx(number, rel=1e-12)
        assert row.entries[3].text.rstrip("*") == text

    @pytest.mark.parametrize(("number", "bits"), [(0, 24 * 11_173_962), (1, 70 * 28_949_319)])
    def test_a_sign_is_a_bit(self, number: int, bits: int, frame: pd.DataFrame, cells: list[Cell]) -> None:
        """Each of some dozens of tensors ends with a whole byte."""
        row = [row for row in table_of(frame, cells).rows if row.entries[1].text == "the same, Signum"][number]
        assert bits / 8 <= row.entries[3].value * MIB < bits / 8 + 70 * 70

    def test_it_comes_in_all_formats(self, frame: pd.DataFrame, cells: list[Cell]) -> None:
        table = table_of(frame, cells)
        texts = {format: render(table, format) for format in FORMATS}
        assert all("FlowerTune" in text for text in texts.values())
        assert r"Mistral-7B, 200 rounds, 2 clients & 40.7" in texts["latex"]
        assert texts["latex"].count(r"\midrule") == 10
        first = next(csv.DictReader(io.StringIO(texts["csv"])))
        assert float(first["computed"]) == 26_416_392 / MIB

    @pytest.mark.pipeline
    def test_the_command_line_prints_it(self, store: Store, fscost: Callable[..., Result]) -> None:
        words = ["engine=estimate", "model=mcmahan_cnn,mcmahan_2nn", "data=samples", "clients=1", "rounds=1"]
        result = fscost("table", *words, f"store={store.path}", "table=published", "--format", "markdown")
        assert result.code == 0
        assert re.search(r"McMahan et al., 2017 *\| 2NN ", result.out)
        assert "engine estimate, message protocol of FederatedScope master: 2 of 2 cells done" in result.out
        assert "missing: not computed yet" in result.out  # the other rows

    def test_what_is_not_known_is_marked(self, frame: pd.DataFrame, cells: list[Cell]) -> None:
        rows = [
            row_of(where={"model": "fedpara_vgg16"}, measure="wire"),
            row_of(where={"model": "lr"}),
            row_of(links=["peer"], per="message"),
        ]
        table = table_of(frame, cells, figures=rows)
        assert [row.entries[3].text for row in table.rows] == ["n/a", "missing", "n/a"]
        assert all(row.entries[3].mark and row.entries[4].mark for row in table.rows)
        failed = frame.assign(status="failed")
        assert table_of(failed, cells, figures=[row_of()]).rows[0].entries[3].text == "failed"

    def test_a_figure_can_be_of_any_link_measure_and_traffic(self, frame: pd.DataFrame, cells: list[Cell]) -> None:
        rows = [
            row_of(links=["uplink"], per="message", unit="B", published="796,840"),
            row_of(links=["downlink"], traffic="control", unit="kB", published="796.84"),
            row_of(where={"model": "mcmahan_2nn", "fs.data.test_samples": 100}, unit="MB", published=1.6),
        ]
        computed = [row.entries[3].text for row in table_of(frame, cells, figures=rows).rows]
        assert computed == ["796,840", "796.840", "1.59"]

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            ([row_of(where={"modle": "lr"})], r"where.modle: is no axis \(did you mean model\?\)"),
            ([row_of(where={"rounds": 200})], "mistral_7b_lora_r32.* and .*llama32_3b_lora_r32.* fit"),
            ([row_of(where={})], "must be a mapping that selects a cell"),
            ([row_of(of={})], "table.figures.of={}: must be a mapping that selects a cell"),
            ([row_of(of={"modle": "lr"})], r"where.modle: is no axis \(did you mean model\?\)"),
            ([row_of(unit="mb")], "table.figures.unit=mb: must be one of"),
            ([row_of(links=["up"])], "table.figures.links=up: must be one of"),
            ([row_of(measure="payloads")], r"table.figures.measure=payloads: .* \(did you mean payload\?\)"),
            ([row_of(quantity=-(10**40))], r"table.figures.quantity=-1\d*: must be text; put it in quotes"),
            ([row_of(why=[1])], r"table.figures.why=\[1\]: must be text"),
            ([row_of(per="round")], "table.figures.per=round: must be one of total, message"),
            ([row_of(published="much")], "table.figures.published=much: must be a number above 0"),
            ([row_of(sorce="x")], r"table.figures.sorce: a row has no such setting \(did you mean source\?\)"),
            ([{"source": "x"}], "needs source, quantity, published and where"),
            ([], "figures belong to the layout published"),
            (3, "must be a list"),
        ],
    )
    def test_a_row_that_makes_no_sense_is_told_in_one_line(
        self, rows: Any, words: str, frame: pd.DataFrame, cells: list[Cell]
    ) -> None:
        with pytest.raises(TableError, match=words):
            table_of(frame, cells, figures=rows)

    def test_figures_belong_to_this_layout_alone(self) -> None:
        with pytest.raises(TableError, match="only there"):
            TableSpec(name="comm_cost", figures=[row_of()])
