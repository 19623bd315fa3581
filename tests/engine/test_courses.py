"""Courses that are data: the shipped ones by pocket calculator, FedAvg as it is built in, and what is refused."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.cell import Cell
from fscost.engine.estimate import EstimateEngine
from fscost.errors import ConfigError
from fscost.plan.course_file import with_course
from fscost.protocol import fs_options
from fscost.resources import conf
from tests.conftest import Result, cell_of
from tests.engine.test_estimate import estimated

MISTRAL = ("model=mistral_7b_lora", "data=samples")
"""LoRA of rank r on the query (4096 × 4096) and value projections (4096 → 1024) of 32 layers."""


def each(rows: list[dict[str, Any]], link: str, kind: str = "") -> set[float]:
    """The payload of one message over a link, as set of what occurs."""
    return {row["payload_bytes"] / row["messages"] for row in rows if row["link"] == link and kind in row["type"]}


def sums(rows: list[dict[str, Any]], link: str) -> int:
    return sum(row["payload_bytes"] for row in rows if row["link"] == link)


@pytest.mark.parametrize("words", [
    (),
    ("model=convnet2", "alpha=0.5", "clients=7", "clients_per_round=3", "rounds=4", "eval_every=3", "batch_size=16"),
    ("engine.protocol=v0.3.0", "model=mlp_m", "clients=5", "fs.eval.split=[train,test]"),
    ("engine.protocol=v0.2.0", "model=lr", "clients=200", "clients_per_round=100", "rounds=300"),
    ("model=spec", "parameters=1000", "data=samples", "clients=1000000", "rounds=1000"),
    ("model=mlp_m", "rounds=200", "fs.personalization.share_non_trainable_para=true", "fs.eval.metrics=[acc,f1]"),
])  # fmt: skip
def test_fedavg_written_as_a_course_is_the_fedavg_that_is_built_in(words: tuple[str, ...], tmp_path: Path) -> None:
    course = estimated(tmp_path / "course", "method=spec", "course=fedavg", *words)
    assert course == estimated(tmp_path / "built_in", "method=fedavg", *words)


def test_fedkseed_costs_under_18_kilobytes(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=fedkseed", "clients=5", "clients_per_round=2", "rounds=3", *MISTRAL)
    assert each(rows, "downlink") == {4096 * 4}
    assert each(rows, "uplink") == {200 * (4 + 4)}
    assert sums(rows, "downlink") + sums(rows, "uplink") == 3 * 2 * 17_984


def test_of_loras_matrices_ffa_lora_sends_b(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=ffa_lora", "lora_rank=32", *MISTRAL)
    assert each(rows, "downlink") == each(rows, "uplink") == {4 * 5_242_880} == {4 * 32 * 32 * (4096 + 1024)}


ROBERTA = """\
name: roberta_large
lora_rank: 8
repeat: 24
tensors:
  roberta.encoder.layer.*.attention.self.query.weight: [1024, 1024]
  roberta.encoder.layer.*.attention.self.value.weight: [1024, 1024]
"""


@pytest.mark.parametrize(("method", "up"), [("fedavg", 786_432), ("ffa_lora", 393_216), ("fedsa_lora", 393_216)])
def test_of_square_matrices_each_of_loras_is_half(method: str, up: int, tmp_path: Path) -> None:
    (tmp_path / "roberta.yaml").write_text(ROBERTA)
    shapes = f"shapes={tmp_path / 'roberta.yaml'}"
    rows = estimated(tmp_path / "run", f"method={method}", "model=spec", shapes, "data=samples")
    assert each(rows, "uplink", "model_para") == {4 * up}
    assert up != 393_216 or each(rows, "uplink") == {1_572_864}


PER_RANK = 4 * 32 * (4096 + 4096 + 4096 + 1024)
"""Bytes of LoRA in Mistral-7B for each rank."""


def test_clients_have_ranks_in_turn(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=hetlora", "clients=10", "rounds=2", "sizes.rank=[4,8,16]", *MISTRAL)
    ranks = 4 * 4 + 3 * 8 + 3 * 16
    assert sums(rows, "downlink") == sums(rows, "uplink") == 2 * ranks * PER_RANK


def test_flexlora_sends_to_every_client_its_own_rank(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=flexlora", "clients=4", "rounds=1", "sizes.rank=[4,64]", *MISTRAL)
    assert sums(rows, "downlink") == sums(rows, "uplink") == 2 * (4 + 64) * PER_RANK


def test_flora_stacks_what_goes_down(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=flora", "clients=4", "rounds=1", "sizes.rank=[4,8,16,32]", *MISTRAL)
    assert sums(rows, "uplink") == (4 + 8 + 16 + 32) * PER_RANK
    assert each(rows, "downlink") == {60 * PER_RANK}


def test_which_ranks_are_sampled_nobody_knows(tmp_path: Path) -> None:
    words = ("clients=4", "clients_per_round=2", "rounds=1", *MISTRAL)
    for method in ("hetlora", "flora"):
        rows = estimated(tmp_path / method, f"method={method}", *words)
        assert {row["payload_bytes"] for row in rows} == {None}
        assert {row["messages"] for row in rows} == {2}
    rows = estimated(tmp_path / "equal", "method=flora", "sizes.rank=8", *words)
    assert each(rows, "downlink") == {2 * 8 * PER_RANK}


def test_scaffold_sends_twice_the_parameters_both_ways(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=spec", "course=scaffold", "model=lr", "rounds=2")
    for link in ("uplink", "downlink"):
        assert each(rows, link, "model_para") == {2 * 4 * (64 * 10 + 10)}


def test_fedproto_sends_classes_times_dimension(tmp_path: Path) -> None:
    words = ("method=spec", "course=fedproto", "rounds=3", "sizes.classes=[3,5]", "sizes.labels=10", "clients=4")
    rows = estimated(tmp_path, *words, "sizes.dimension=512", *MISTRAL)
    training = [row for row in rows if row["type"] == "model_para"]
    assert sums(training, "uplink") == 3 * 2 * (3 + 5) * 512 * 4
    assert sums(training, "downlink") == 2 * 4 * 10 * 512 * 4  # none before the first round


def test_fedproto_knows_the_classes_that_clients_have(tmp_path: Path) -> None:
    words = ("method=spec", "course=fedproto", "rounds=1", "model=mlp_m", "clients=2")
    assert sums(estimated(tmp_path / "iid", *words), "uplink") == 2 * 10 * 64 * 4
    assert sums(estimated(tmp_path / "skewed", *words, "alpha=0.05", "seed=1"), "uplink") < 2 * 10 * 64 * 4


def test_fedmd_sends_class_scores(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=fedmd", "sizes.public=1000", "sizes.classes=100", *MISTRAL)
    assert each(rows, "uplink") == each(rows, "downlink") == {1000 * 100 * 4}


def test_feddf_sends_models(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=feddf", "model=lr")
    assert each(rows, "uplink") == each(rows, "downlink") == {650 * 4}


def test_splitfed_sends_every_step(tmp_path: Path) -> None:
    words = ("method=splitfed", "sizes.cut=300", "sizes.client_params=7", "clients=2", "rounds=5", "batch_size=32")
    rows = estimated(tmp_path, *words, "train_samples=100", "local_steps=3", *MISTRAL)
    seen, part = 3 * 100, 7 * 4
    assert sums(rows, "uplink") == 2 * 5 * (seen * 300 * 4 + seen * 8 + part)
    assert sums(rows, "downlink") == 2 * 5 * (seen * 300 * 4 + part)
    assert sum(row["messages"] for row in rows if row["type"] == "gradients") == 2 * 5 * 3 * 4
    assert sum(row["client_rounds"] for row in rows if row["link"] == "uplink") == 2 * 5


def test_fetchsgd_sends_a_sketch_and_gets_entries(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=fetchsgd", "sizes.rows=5", "sizes.columns=1000", "sizes.k=30", *MISTRAL)
    assert each(rows, "uplink") == {5 * 1000 * 4}
    assert each(rows, "downlink") == {30 * (4 + 4)}


def test_lotteryfl_sends_what_a_mask_keeps(tmp_path: Path) -> None:
    rows = estimated(tmp_path, "method=lotteryfl", "sizes.percent=10", "model=lr")
    assert each(rows, "downlink") == {65 * 4}
    assert each(rows, "uplink") == {65 * 4 + 82}  # 650 bits


def test_every_shipped_course_has_a_paper_and_a_comment() -> None:
    for file in sorted((conf() / "courses").glob("*.yaml")):
        text = file.read_text()
        assert text.startswith("# ") and re.search(r"^paper: .*\d{4}$", text, re.M), file.name


# --- courses of one's own -------------------------------------------------------------------------

OWN = """\
sizes: {half: params // 2}
messages:
  - {type: hello, from: all, to: server, when: start, numbers: 2, traffic: control}
  - {type: shards, from: server, to: sampled, every: 2, tensors: {shard: {shape: [half], dtype: float16}}}
  - {type: gossip, from: sampled, to: sampled, tensors: parameters}
  - {type: ring, from: all, to: one, when: last, tensors: parameters, without: "*.bias"}
  - {type: leader, from: one, to: server, when: later, tensors: parameters, codec: {name: quantise, bits: 8, bucket: 0}}
"""


def written(folder: Path, text: str, name: str = "own.yaml") -> str:
    (folder / name).write_text(text)
    return f"course={folder / name}"


def test_a_course_of_ones_own(tmp_path: Path) -> None:
    words = ("method=spec", written(tmp_path, OWN), "model=lr", "clients=6", "clients_per_round=3", "rounds=5")
    rows = estimated(tmp_path / "run", *words)
    found = {}
    for row in rows:
        found.setdefault(row["type"], ([], row["link"], row["messages"], row["payload_bytes"]))[0].append(row["round"])
    assert found == {
        "hello": ([0], "uplink", 6, 0),
        "shards": ([1, 3], "downlink", 3, 3 * 325 * 2),
        "gossip": ([0, 1, 2, 3, 4], "peer", 3 * 2, 3 * 2 * 2600),
        "ring": ([4], "peer", 6, 6 * 2560),
        "leader": ([1, 2, 3, 4], "uplink", 1, 650 + 2 * 4),
    }
    assert next(row for row in rows if row["type"] == "hello")["traffic"] == "control"
    assert next(row for row in rows if row["type"] == "hello")["scalar_bytes"] == 6 * 2 * 8
    assert cell_of("engine=estimate", *words).axes["method"] == "own"


def test_a_cell_is_the_content_of_its_course(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    words = ("engine=estimate", "method=spec", "model=lr")
    cell = cell_of(*words, written(tmp_path, OWN))
    commented = OWN.replace("sizes: {half: params // 2}", "paper: nobody, 2026\nsizes:\n  half: params // 2  # of all")
    assert cell_of(*words, written(tmp_path / "other", commented)).id == cell.id
    assert cell_of(*words, written(tmp_path, OWN.replace("bits: 8", "bits: 4"))).id != cell.id
    assert (
        cell_of("engine=estimate", "method=fedkseed", "sizes.seeds=4096").id
        == cell_of("engine=estimate", "method=spec", "course=fedkseed").id
    )


def test_shapes_lie_in_a_file_beside_the_course(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text("repeat: 3\ntensors: {layers.*.weight: [4, 5], head.weight: [2, 5]}\n")
    course = written(
        tmp_path, "messages:\n  - {type: part, from: sampled, to: server, shapes: part.yaml, only: lay*}\n"
    )
    rows = estimated(tmp_path / "run", "method=spec", course, "model=lr")
    assert each(rows, "uplink") == {3 * 4 * 5 * 4}


@pytest.fixture(scope="module")
def fedavg() -> Cell:
    return cell_of("engine=estimate", "model=lr", "data=samples", "sample_shape=[64]")


def changed(cell: Cell, options: dict[str, Any]) -> dict[str, Any]:
    """The tree of a cell with other options, by dotted name."""
    return fs_options.nested(dict(fs_options.leaves(cell.fs)) | options)


def message(text: str) -> str:
    return f"messages:\n  - {{type: a, from: sampled, to: server, {text}}}\n"


@pytest.mark.usefixtures("ends_soon")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no course: expected messages"),
        ("[1, 2]", "no course: expected messages"),
        ("name: x", "messages: must be a list of at least one message"),
        ("messages: [1]", r"messages\[1\]=1: must be a mapping"),
        ("mesages: []\nmessages: []", r"mesages: there is no such key \(did you mean messages"),
        ("messages:\n  - {from: all, to: server}", r"messages\[1\].type=None"),
        ("messages:\n  - {type: a, from: everyone, to: server}", r"from='everyone': must be one of server"),
        ("messages:\n  - {type: a, from: server, to: server}", "the server sends nothing to itself"),
        ("messages:\n  - {type: a, from: server, to: sampled, when: start}", "to=sampled: no clients are"),
        (message("when: sometimes"), r"messages\[1\].when='sometimes': must be one of start, first"),
        (message("when: first, every: 2"), "leave one out"),
        (message("every: 0"), "every=0: must be at least 1 round"),
        (message("every: 1.5"), r"every=1.5: must be a whole number of at least 0, or a formula"),
        (message("tensors: weights"), "must be model, parameters, state_dict"),
        (message("tensors: {x: 10}"), r"tensors.x: shape=10: must be a list"),
        (message("tensors: {x: [-1]}"), r"tensors.x.shape=-1: must be a whole number of at least 0"),
        (message("tensors: {x: [clases]}"), r"clases: there is no such size \(did you mean classes"),
        (message("tensors: {x: [samples / 7]}"), r"a.tensors.x=samples / 7: is 142.8\d*, and must be"),
        (message("tensors: {x: [samples - 2000]}"), "is -1000, and must be a whole number"),
        ("sizes: {a: \"1e400\"}\n" + message("numbers: a"), "sizes.a=1e400: is inf, and must be a whole number"),
        (message("tensors: {x: [10 ** 30]}"), "is larger than 2\\^63"),
        (message("tensors: {x: [10 ** 10, 10 ** 10]}"), "torch makes no tensor of the shape"),
        (message("tensors: {x.*: {shape: [1], repeat: 10 ** 9}}"), "make one larger tensor"),
        (message("numbers: 10 ** 9"), "more than 100,000 belong in a tensor"),
        (message("tensors: {x.*: [1]}"), r"a name with \* needs repeat"),
        (message("tensors: {x: {shape: [1], dtype: float31}}"), "dtype='float31': must be one of float32"),
        (message("tensors: {x: [__import__('os')]}"), "is no part of a formula"),
        (message("tensors: {x: [classes]}"), "data=samples has no labels; give sizes.classes=NUMBER"),
        (message("tensors: model, only: '*lora_C*'"), r"\*lora_C\*: no tensor is called so; there are fc.weight"),
        (message("tensors: model, lora_rank: 8"), "the model has no matrices lora_A and lora_B"),
        (message("tensors: {x: [1]}, only: x"), "only: chooses tensors of a model"),
        (message("codec: topk"), "codec: there are no tensors to pack"),
        (message("tensors: model, codec: top"), r"codec=top: must be one of .*\(did you mean topk"),
        (message("tensors: model, codec: {name: topk, ratio: 2}"), r"codec: ratio=2: must be above 0"),
        (message("tensors: model, shapes: x.yaml"), "x.yaml: cannot be read"),
        (message("traffic: control") + message("traffic: training")[10:], "the type is control above"),
        (message("traffic: gossip"), "traffic='gossip': must be one of training, evaluation, control"),
        (message("numbers: metrics, tensors: model"), "stand alone"),
        ("sizes: {a: b, b: a}\n" + message("numbers: a"), "sizes.a: needs itself, by a → b → a"),
        ("sizes: {a: a}\n" + message("numbers: a"), "sizes.a: needs itself, by a → a"),
        ("sizes: {a: -1}\n" + message("numbers: a"), "sizes.a=-1: must be a whole number of at least 0"),
        ("sizes: {a: 0.5}\n" + message("numbers: a"), "sizes.a=0.5: must be a whole number"),
        ("sizes: {a: null}\n" + message("numbers: a"), "sizes.a: has no value; give sizes.a=NUMBER"),
        ("sizes: {a: [1, 2], b: [1, 2, 3]}\n" + message("numbers: a"), "sizes.a: has 2 values and sizes.b has 3"),
        ("sizes: {clients: 3}\n" + message("numbers: 1"), "sizes.clients: is the cell's own; set clients=N"),
        ("messages:\n  - {type: a, from: server, to: server", "no YAML"),
        ("# " + "x" * 10**6, "is larger than 1 MB"),
    ],
)  # fmt: skip
def test_what_is_no_course_is_said_in_one_line(text: str, said: str, fedavg: Cell, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        own = with_course({"federate.method": "spec", "course.spec": str(tmp_path / "own.yaml")}, {})
        EstimateEngine().check(replace(fedavg, fs=changed(fedavg, own)))
    assert "\n" not in str(caught.value) and "own" in str(caught.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("method=spec",), "method=spec: give course=FILE, or one of fedavg"),
        (("method=spec", "course=fedkseet"), r"course=fedkseet: no such course \(did you mean fedkseed"),
        (("method=spec", "course=nowhere.yaml"), "course=nowhere.yaml: cannot be read"),
        (("method=fedkseed", "sizes.sedes=1"), r"sizes.sedes=1: course=fedkseed has no such size \(did you mean seeds"),
        (("method=fedavg", "sizes.sedes=1"), "sizes.sedes=1: method=FedAvg has no such size"),
        (("method=fedkseed", "sizes=3"), "sizes=3: sets no size"),
        (("method=fedkseed", "fs.fedprox.use=true"), "method=spec: all that travels is its own, so that fedprox"),
        (("method=fedkseed", "fs.personalization.local_param=[fc]"), "changes nothing of a course"),
        (("method=hetlora", "sizes.rank=[4,0]", *MISTRAL), "lora_rank=rank: is 0, and must be at least 1"),
        (("method=hetlora", "model=lr"), "the model has no matrices lora_A and lora_B"),
    ],
)
def test_what_does_not_go_with_a_course_is_refused(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        estimated(tmp_path / "run", *words)


def test_a_size_that_another_course_has_may_stand_beside(tmp_path: Path) -> None:
    cell = cell_of("engine=estimate", "method=fedmd", "sizes.seeds=1024", "sizes.public=10")
    assert cell.get("course.sizes") == {"public": 10, "classes": 10}
    assert cell_of("engine=estimate", "method=fedmd", "fs.course.sizes.public=10").id == cell.id
    assert cell_of("engine=estimate", "method=fedavg", "sizes.seeds=1024").id == cell_of("engine=estimate").id


@pytest.mark.pipeline
def test_sizes_are_columns_by_their_labels_and_names(fscost: Callable[..., Result], tmp_path: Path) -> None:
    text = "sizes: {a: 1, rank: 2}\n" + message("tensors: {x: [a, rank]}")
    words = ("-m", "engine=estimate", "method=spec", written(tmp_path, text), "model=lr")
    done = fscost(*words, "sizes.a=1,2", "sizes.rank=[3,4],5", f"store={tmp_path / 'runs'}", f"out={tmp_path}")
    assert re.search(r"^Model +Clients +a +Rank +Method", done.out, re.M), done.out + done.err
    assert "[3, 4]" in done.out
    rows = fscost("table", f"{tmp_path / 'runs'}", "table.rows=[sizes.a,sizes.rank]", "--format", "markdown").out
    assert re.search(r"^\| *a *\| *Rank *\|", rows, re.M), rows
