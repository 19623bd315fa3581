"""Courses with codecs: they learn, what they send is what the closed form says, and what makes no sense is refused."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.engine import identify
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.estimate import EstimateEngine
from fscost.engine.federatedscope import FederatedScopeEngine
from fscost.errors import ConfigError
from fscost.plan import plan
from fscost.protocol import fs_options
from fscost.protocol.codecs import CODECS
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RunDir
from tests.conftest import Result, cell_of

MEASURES = ("messages", "client_rounds", "payload_bytes", "scalar_bytes", "wire_bytes", "reported_bytes")

Rows = dict[tuple[int, str, str], dict[str, Any]]


def trained(folder: Path, *overrides: str) -> tuple[Cell, RunDir]:
    cell, run = cell_of("engine=builtin", *overrides), RunDir(folder / "builtin")
    run.write_cell(cell)
    BuiltinEngine().check(cell)
    outcome = BuiltinEngine().run(cell, run)
    assert outcome.status is Status.DONE, outcome.reason
    return cell, run


def rows_of(run: RunDir) -> Rows:
    return {(row["round"], row["type"], row["link"]): row for row in read_ledger(run.ledger).messages}


def estimated(cell: Cell, folder: Path) -> Rows:
    cell = replace(cell, engine="estimate")
    EstimateEngine().check(cell)
    run = RunDir(folder / "estimate")
    run.write_cell(cell)
    outcome = EstimateEngine().run(cell, run)
    assert outcome.status is Status.DONE, outcome.reason
    return rows_of(run)


def accuracy(run: RunDir) -> float:
    lines = [line for line in run.eval_results.read_text().splitlines() if "Results_weighted_avg" in line]
    found = re.findall(r"'Results_weighted_avg': \{[^}]*'test_acc': ([\d.]+)", lines[-1])
    return float(found[0])


def payload(rows: Rows, link: str, state: int = 1) -> int:
    row = rows[state, "model_para", link]
    return int(row["payload_bytes"] // row["messages"])


def check_closed_form(cell: Cell, run: RunDir, folder: Path) -> None:
    """Line by line and measure by measure, asizeof too; not known are wire bytes of releases that send numbers."""
    real, closed = rows_of(run), estimated(cell, folder)
    assert real.keys() == closed.keys()
    for key, row in real.items():
        for measure in MEASURES:
            is_unknown = measure == "wire_bytes" and closed[key][measure] is None and "0." in cell.protocol
            assert is_unknown or closed[key][measure] == row[measure], (key, measure)


LEARNS = [
    (["codec.uplink=float16"], 0.95),
    (["codec.uplink=bfloat16", "codec.downlink=bfloat16"], 0.95),
    (["codec.uplink=quantise", "codec.downlink=quantise", "codec.bits=4"], 0.93),
    (["codec.uplink=quantise", "codec.bits=2", "codec.bucket=64"], 0.93),
    (["codec.uplink=sign"], 0.93),
    (["codec.uplink=sign", "codec.downlink=sign", "codec.scale=false"], 0.90),
    (["codec.uplink=topk"], 0.85),
    (["codec.uplink=topk", "codec.downlink=topk", "codec.ratio=0.05"], 0.90),
    (["codec.uplink=randomk", "codec.ratio=0.1"], 0.90),
    (["codec.uplink=randomk", "codec.ratio=0.1", "codec.error_feedback=false"], 0.90),
    (["codec.uplink=lowrank"], 0.93),
    (["codec.uplink=lowrank", "codec.downlink=lowrank", "codec.rank=1"], 0.85),
    (["codec.uplink=sketch", "codec.downlink=topk", "codec.ratio=0.05"], 0.90),
    (["codec.uplink=mask"], 0.88),
]


@pytest.mark.pipeline
@pytest.mark.parametrize(("words", "least"), LEARNS, ids=[" ".join(words) for words, _ in LEARNS])
def test_digits_are_learned_in_twenty_rounds(words: list[str], least: float, tmp_path: Path) -> None:
    """By an MLP of 1,262 parameters; without a codec it tells 99 % of the digits apart."""
    cell, run = trained(tmp_path, "model=mlp_s", "rounds=20", "eval_every=20", *words)
    assert accuracy(run) >= least
    check_closed_form(cell, run, tmp_path)


@pytest.mark.pipeline
@pytest.mark.parametrize("name", [name for name in CODECS if name != "sketch"])
def test_the_closed_form_of_what_is_sent_down(name: str, tmp_path: Path) -> None:
    cell, run = trained(tmp_path, "model=mlp_s", "rounds=3", "batch_size=128", f"codec.downlink={name}")
    check_closed_form(cell, run, tmp_path)


COURSES = [
    ["method=fedem", "codec.uplink=sketch"],
    ["method=fedem", "codec.uplink=topk", "codec.downlink=lowrank"],
    ["method=fedbn", "codec.uplink=lowrank", "codec.downlink=sign"],
    ["method=fedper", "codec.uplink=mask", "codec.downlink=quantise"],
    ["method=fedrep", "codec.uplink=sign", "codec.downlink=bfloat16"],
    ["method=fedopt", "codec.uplink=sketch", "codec.downlink=topk"],
    ["method=ditto", "codec.uplink=randomk", "codec.error_feedback=false"],
    ["method=pfedme", "codec.uplink=quantise", "codec.stochastic=false", "codec.bits=5"],
    ["method=median", "codec.uplink=float16"],
    ["method=krum", "codec.uplink=topk", "codec.index=smallest"],
    ["method=sharelocal", "codec.uplink=topk", "codec.downlink=topk"],
    ["method=fedswa", "codec.uplink=lowrank", "codec.rank=40"],
    ["model=convnet2", "engine.protocol=v0.3.0", "codec.uplink=topk", "codec.downlink=mask"],
    ["model=convnet2", "engine.protocol=v0.2.0", "codec.uplink=lowrank", "codec.downlink=float16"],
    ["clients_per_round=2", "codec.uplink=sketch", "codec.downlink=quantise"],
    ["clients=5", "fs.federate.unseen_clients_rate=0.2", "codec.downlink=randomk"],
    ["data=toy", "model=lr", "lr=0.001", "codec.uplink=sign"],
]


@pytest.mark.pipeline
@pytest.mark.parametrize("words", COURSES, ids=" ".join)
def test_codecs_go_with_methods(words: list[str], tmp_path: Path) -> None:
    cell, run = trained(tmp_path, "model=mlp_s", "clients=4", "rounds=2", "batch_size=128", *words)
    check_closed_form(cell, run, tmp_path)


@pytest.mark.pipeline
def test_what_was_lost_is_made_good_later(tmp_path: Path) -> None:
    """Of 1 % of the entries, without what was lost before, the same few are sent again and again."""
    words = ("model=mlp_s", "rounds=15", "eval_every=15", "codec.uplink=topk")
    with_it, without = (
        accuracy(trained(tmp_path / said, *words, f"codec.error_feedback={said}")[1]) for said in ("true", "false")
    )
    assert with_it > without


@pytest.mark.pipeline
def test_a_codec_that_loses_nothing_changes_nothing(tmp_path: Path) -> None:
    """All entries both ways are the model up to rounding, though differences are sent."""
    words = ("model=lr", "rounds=5", "codec.ratio=1")
    both = trained(tmp_path / "both", *words, "codec.uplink=topk", "codec.downlink=topk")[1]
    plain = trained(tmp_path / "plain", "model=lr", "rounds=5")[1]
    assert accuracy(both) == pytest.approx(accuracy(plain), abs=0.006)
    assert payload(rows_of(both), "uplink") == 2 * payload(rows_of(plain), "uplink")  # a position beside each value


@pytest.mark.pipeline
def test_bytes_by_pocket_calculator(tmp_path: Path) -> None:
    """An MLP of 64, 16 and 10: weights of 1,024 and 160, biases of 16 and 10, two norms of twice 16 and 10."""
    sizes = [1024, 16, 160, 10, 16, 16, 10, 10]
    buffers = (16 + 16 + 10 + 10) * 4 + 2 * 8
    _, run = trained(tmp_path, "model=mlp_s", "rounds=2", "codec.uplink=topk", "codec.downlink=topk")
    rows = rows_of(run)
    assert payload(rows, "uplink") == sum(8 * max(1, n // 100) for n in sizes)
    assert payload(rows, "downlink", 0) == 4 * sum(sizes) + buffers  # there is nothing to differ from
    assert payload(rows, "downlink", 1) == payload(rows, "uplink") + buffers
    in_full = {row["payload_bytes"] // row["messages"] for (_, kind, _), row in rows.items() if kind == "evaluate"}
    assert in_full == {4 * sum(sizes) + buffers}


@pytest.mark.pipeline
def test_an_early_stop_and_asynchronous_courses(tmp_path: Path) -> None:
    words = ("model=mlp_s", "batch_size=128", "codec.uplink=topk")
    _, stopped = trained(
        tmp_path / "a", *words, "rounds=8", "patience=1", "fs.early_stop.delta=1e9", "codec.downlink=topk"
    )
    states = {state for state, kind, _ in rows_of(stopped) if kind == "model_para"}
    assert max(states) < 7
    _, run = trained(tmp_path / "b", *words, "rounds=3", "method=asyn", "clients=4", "codec.downlink=float16")
    assert len({payload(rows_of(run), "uplink", state) for state in (0, 1)}) == 1


@pytest.mark.pipeline
def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    words = ("model=mlp_s", "rounds=2", "codec.uplink=randomk", "codec.downlink=quantise")
    first, again, other = (
        trained(tmp_path / name, *words, f"seed={seed}")[1] for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first.eval_results.read_bytes() == again.eval_results.read_bytes() != other.eval_results.read_bytes()
    assert first.ledger.read_bytes() == again.ledger.read_bytes()


DOWN = "packs the difference to what all clients hold"
REFUSED = [
    (["codec.uplink=topp"], "codec.uplink=topp: must be one of none, .*did you mean topk"),
    (["codec.uplink=topk", "codec.ratio=2"], "codec.ratio=2: must be above 0 and at most 1, as 0.01"),
    (["codec.uplink=topk", "method=ss"], "codec.uplink=topk: secret shares are numbers that look random"),
    (["codec.uplink=topk", "method=quant8"], "fs.quantization.method packs the same messages"),
    (["codec.downlink=sign", "method=local"], "codec.downlink=sign: method=local sends no model for training"),
    (["codec.downlink=sketch"], "codec.downlink=sketch: it is the server that unpacks sketches; take topk"),
    (
        ["codec.uplink=sketch", "method=median"],
        "the server adds sketches up, and .*=median needs each update by itself",
    ),
    (["codec.downlink=topk", "clients_per_round=2"], f"{DOWN}, and those not sampled miss.*clients_per_round=3"),
    (["codec.uplink=float16", "codec.error_feedback=true"], "float16 packs the model itself"),
    (["codec.uplink=sign", "codec.error_feedback=1"], "codec.error_feedback=1: must be true, false, or null"),
]


@pytest.mark.parametrize(("words", "reason"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
@pytest.mark.parametrize("engine", ["builtin", "estimate"])
def test_what_makes_no_sense_is_refused(words: list[str], reason: str, engine: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        checked(f"engine={engine}", *words)


def checked(*words: str) -> Cell:
    cell = cell_of(*words)
    (EstimateEngine() if cell.engine == "estimate" else BuiltinEngine()).check(cell)
    return cell


def test_asynchronous_clients_hold_different_models() -> None:
    with pytest.raises(ConfigError, match=f"{DOWN}, and in asynchronous courses they differ; take float16"):
        checked("engine=builtin", "method=asyn", "codec.downlink=topk")


COUNTED = ("engine=estimate", "model=spec", "data=samples")


@pytest.mark.parametrize(
    ("words", "each"),
    [
        (["codec.uplink=float16"], 2 * 10**11),
        (["codec.uplink=sketch", "codec.columns=500000"], 5 * 500_000 * 4),
        (["codec.uplink=sketch"], 5 * 10 * 10**9 * 4),
    ],
)
def test_a_number_of_parameters_is_enough_for_some(words: list[str], each: int, tmp_path: Path) -> None:
    size = ("parameters=100000000000", "clients=1000000", "rounds=2")
    assert payload(estimated(checked(*COUNTED, *size, *words), tmp_path), "uplink") == each


@pytest.mark.parametrize("name", ["quantise", "sign", "topk", "randomk", "lowrank", "mask"])
def test_the_others_need_its_tensors(name: str) -> None:
    with pytest.raises(
        ConfigError, match=f"codec.uplink={name}: packs tensor by tensor, and parameters=1000 .*shapes=F"
    ):
        checked(*COUNTED, "parameters=1000", f"codec.uplink={name}")


@pytest.mark.parametrize(("name", "rounds"), [*((name, 9) for name in sorted(CODECS)), ("topk", 10_000)])
def test_models_and_federations_of_any_size(name: str, rounds: int, tmp_path: Path) -> None:
    """10^11 parameters in 96 layers, 10^6 clients, 10^4 rounds: as many lines as rounds, and nothing allocated."""
    tensors = {"wte": [50257, 12288], "h.*.attn": [4 * 12288, 12288], "h.*.mlp": [5 * 8192, 12288], "h.*.ln": [12288]}
    base = cell_of(*COUNTED, "parameters=1", "clients=1000000", f"rounds={rounds}", f"eval_every={rounds}")
    spec = {"type": "spec", "spec": {"name": "large", "repeat": 96, "tensors": tensors}}
    codec = {"uplink": name, "index": "smallest"}
    rows = estimated(replace(base, fs={**base.fs, "model": spec, "codec": codec}), tmp_path)
    full = 4 * (50257 * 12288 + 96 * (4 * 12288 * 12288 + 5 * 8192 * 12288 + 12288))
    assert full > 4 * 10**11
    assert 0 < payload(rows, "uplink", rounds - 1) < 0.6 * full
    assert payload(rows, "downlink", rounds - 1) == full


def test_cells_without_a_codec_keep_their_id() -> None:
    plain = cell_of("engine=estimate")
    assert (
        cell_of("engine=estimate", "codec.uplink=none", "codec.ratio=0.5", "codec.error_feedback=true").id == plain.id
    )
    assert "codec" not in plain.fs
    packed = cell_of("engine=estimate", "codec.uplink=topk", "codec.rank=7")
    assert packed.get("codec") == {"uplink": "topk"}


def methods(*words: str) -> Sequence[str]:
    return [one.cell.axes["method"] for one in plan(["engine=estimate", *words], identify).cells]


def test_a_method_is_called_by_its_codecs() -> None:
    assert methods("codec.uplink=none,topk", "method=fedavg,fedprox", "codec.ratio=0.001") == [
        "fedavg", "fedprox", "fedavg+topk 0.1%", "fedprox+topk 0.1%"
    ]  # fmt: skip
    assert methods("codec.uplink=sign", "codec.scale=true,false") == ["fedavg+sign", "fedavg+signum"]
    assert methods("codec.uplink=lowrank", "codec.downlink=quantise", "codec.bits=4") == [
        "fedavg+lowrank 2+down quantise 4-bit"
    ]
    assert methods("codec.uplink=topk", "codec.downlink=topk,none") == ["fedavg+topk 1% both ways", "fedavg+topk 1%"]
    assert methods("codec.uplink=none", "codec.downlink=mask") == ["fedavg+down mask"]
    assert methods("codec.uplink=sketch", "codec.columns=0,80") == ["fedavg+sketch 1%", "fedavg+sketch 5x80"]


@pytest.mark.parametrize("name", sorted(CODECS))
def test_numbers_in_names_have_the_defaults_of_options(name: str) -> None:
    base = Cell("builtin", "master", BARE)
    usual = {key.removeprefix("codec."): value for key, value in fs_options.CODECS.items()}
    short, spelled = (replace(base, fs=BARE | {"codec": own | {"uplink": name}}) for own in ({}, usual))
    assert short.axes["method"] == spelled.axes["method"] != "fedavg"


BARE = {"seed": 0, "model": {"type": "lr"}, "federate": {"method": "FedAvg", "client_num": 1, "total_round_num": 1}}


@pytest.mark.pipeline
def test_a_table_says_how_many_times_less_is_sent(fscost: Callable[..., Result]) -> None:
    """19,832 B of an MLP of 64 by 654 B: a bit for each of 4,958 parameters, rounded up, and 8 scales."""
    done = fscost("-m", "engine=estimate", "codec.uplink=none,sign", "table=compression")
    (row,) = [line for line in done.out.splitlines() if "FedAvg + signs" in line]
    assert "30.3×" in row
    assert "Uplink reduced: how many times smaller the total uplink is than that of FedAvg." in done.out


def test_a_codec_needs_a_direction() -> None:
    with pytest.raises(ConfigError, match="codec=topk,sign: give a direction, codec.uplink=NAME"):
        plan(["codec=topk,sign"], identify)


def test_other_engines_refuse_and_say_which_has_codecs() -> None:
    with pytest.raises(
        ConfigError, match="codec.uplink=topk: FederatedScope has no codecs; engine=builtin trains with"
    ):
        FederatedScopeEngine(None).check(
            cell_of("engine=federatedscope", "codec.uplink=topk", "engine.protocol=master")
        )
    with pytest.raises(ConfigError, match="codec.uplink=topk: what a command sends is its own; engine=builtin trains"):
        cell_of("engine=command", "codec.uplink=topk", "engine.command='python train.py {method} {clients}'")
