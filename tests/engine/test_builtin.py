"""The builtin engine learns, repeats itself, and refuses what it cannot do."""

import ast
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

import torch

from fscost.cells.measure import binary_text
from fscost.cells.outcome import Outcome, Status
from fscost.collect import gather
from fscost.collect.fs_logs import read_eval_results
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.builtin.client_data import load_federation
from fscost.engine.builtin.evaluations import Best, EarlyStop, summaries
from fscost.engine.builtin.modules import build_model, forward_flops
from fscost.engine.builtin.training import batches
from fscost.errors import ConfigError
from fscost.protocol.course_options import Options
from fscost.store.ledger_file import LedgerFile, read_ledger
from fscost.store.rundir import RunDir
from tests.conftest import DATA, cell_of, files_below, needs_mnist


def computed(folder: Path, *overrides: str) -> RunDir:
    cell = cell_of(*overrides)
    run = RunDir(folder)
    run.write_cell(cell)
    outcome = BuiltinEngine().run(cell, run)
    assert outcome.status is Status.DONE, outcome.reason
    return run


def messages(ledger: LedgerFile, msg_type: str, link: str) -> list[dict[str, Any]]:
    return [row for row in ledger.messages if (row["type"], row["link"]) == (msg_type, link)]


def total(ledger: LedgerFile, msg_type: str, link: str, key: str = "payload_bytes") -> int:
    return sum(row[key] for row in messages(ledger, msg_type, link))


def told(run: RunDir, metric: str) -> list[float]:
    return [row[metric] for row in read_eval_results(run.eval_results, pytest.fail, "master")]


def assert_learned(run: RunDir, accuracy: float, of_first_loss: float) -> None:
    """Bounds have room for every processor's rounding and every seed: guessing digits is right in 10 %."""
    losses = told(run, "test_avg_loss")
    assert told(run, "test_acc")[-1] >= accuracy
    assert losses[-1] < of_first_loss * losses[0]


def test_v020_names_the_round_of_an_evaluation_by_the_rounds_trained(tmp_path: Path) -> None:
    for protocol, rounds in (("v0.2.0", {1, 2}), ("v0.3.0", {0, 1}), ("master", {0, 1})):
        run = computed(tmp_path / protocol, f"engine.protocol={protocol}", "model=mlp_s", "rounds=2")
        ledger = read_ledger(run.ledger)
        assert {row["round"] for row in messages(ledger, "evaluate", "downlink")} == rounds
        assert {row["round"] for row in messages(ledger, "metrics", "uplink")} == rounds
        assert {row["round"] for row in messages(ledger, "model_para", "uplink")} == {0, 1}
        run.write_outcome(Outcome(status=Status.DONE))
        frame = gather([(run.read_cell(), run)]).rounds
        assert list(frame["round"]) == [1, 2]
        assert list(frame["evaluation_downlink_payload_bytes"]) == [3 * 5272, 6 * 5272]


def test_one_unseen_client_has_fairness_of_its_own_in_every_round(tmp_path: Path) -> None:
    run = computed(tmp_path / "run", "model=lr", "clients=5", "rounds=3", "fs.federate.unseen_clients_rate=0.3")
    assert len([line for line in run.eval_results.read_text().splitlines() if "Results_fairness_unseen" in line]) == 3


@pytest.mark.pipeline
def test_accuracy_rises_with_the_rounds(tmp_path: Path) -> None:
    run = computed(tmp_path / "run", "model=mlp_m", "clients=3", "rounds=20")
    assert len(told(run, "test_acc")) == 20
    assert_learned(run, 0.80, of_first_loss=0.3)


@pytest.mark.pipeline
@pytest.mark.parametrize("method", ["fedavg", "fedprox", "fedopt"])
@pytest.mark.parametrize("model", ["lr", "mlp_s", "convnet2"])
def test_every_method_learns_every_model(tmp_path: Path, method: str, model: str) -> None:
    run = computed(tmp_path / "run", f"method={method}", f"model={model}", "rounds=8")
    assert_learned(run, 0.70, of_first_loss=0.75)


ADAM = ("fs.train.optimizer.type=Adam", "fs.eval.split=[test]", "local_unit=batch")


@pytest.mark.pipeline
def test_five_convolutions_learn(tmp_path: Path) -> None:
    words = ("model=convnet5", "clients=1", "rounds=3", "lr=0.003", "local_steps=15")
    assert_learned(computed(tmp_path / "run", *words, *ADAM), 0.60, of_first_loss=0.6)


@pytest.mark.pipeline
def test_an_lstm_learns_digits_pixel_by_pixel(tmp_path: Path) -> None:
    words = ("model=lstm", "fs.model.hidden=32", "clients=1", "rounds=6", "lr=0.01", "local_steps=45")
    assert_learned(computed(tmp_path / "run", *words, *ADAM), 0.40, of_first_loss=0.8)


def test_vgg11_halves_an_image_five_times_and_has_a_row_of_linear_layers() -> None:
    options = Options(cell_of("engine=builtin", "model=vgg11", "fs.model.hidden=8"))
    model = build_model(options, torch.empty(1, 32, 32)).eval()
    assert model(torch.zeros(3, 1, 32, 32)).shape == (3, 10)
    assert model.state_dict()["fc1.weight"].shape == (8, 512)
    assert build_model(options, torch.empty(1, 64, 96)).state_dict()["fc1.weight"].shape == (8, 512 * 2 * 3)


@pytest.mark.parametrize(("model", "flops"), [("convnet5", 25_683_072), ("lstm", 64 * 256 * 10)])
def test_multiply_adds_are_those_that_federatedscope_counts(model: str, flops: int) -> None:
    """Per sample, from FederatedScope's total_flops: its counter sees no recurrent layer, but every step's output."""
    options = Options(cell_of("engine=builtin", f"model={model}"))
    sample = torch.zeros((1, 32, 32)) if model == "convnet5" else torch.zeros(64, dtype=torch.int64)
    assert forward_flops(build_model(options, sample), sample) == flops


@pytest.mark.pipeline
@needs_mnist
@pytest.mark.parametrize(("model", "form"), [("mlp_s", "mnist5k_flat"), ("convnet2", "mnist5k")])
def test_mnist_is_learned(tmp_path: Path, model: str, form: str) -> None:
    words = ("data=mnist5k", "clients=2", "rounds=2", "lr=0.003", "local_steps=20")
    run = computed(tmp_path / "run", f"model={model}", *words, *ADAM)
    assert (run.read_cell().get("data.type"), run.read_cell().axes["data"]) == (form, "mnist5k")
    assert_learned(run, 0.40, of_first_loss=1)


def test_the_toy_regression_gets_better(tmp_path: Path) -> None:
    run = computed(tmp_path / "run", "data=toy", "model=lr", "lr=0.01", "clients=2")
    losses = told(run, "test_avg_loss")
    assert losses[-1] < losses[0] / 10


@pytest.mark.pipeline
def test_methods_differ_in_what_they_learn_not_in_what_they_send(tmp_path: Path) -> None:
    runs = [computed(tmp_path / m, f"method={m}", "rounds=3") for m in ("fedavg", "fedprox", "fedopt")]
    assert len({run.ledger.read_text() for run in runs}) == 1
    assert len({run.eval_results.read_text() for run in runs}) == 3


@pytest.mark.pipeline
def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    first, second = (computed(tmp_path / name, "rounds=3", "model=convnet2", "fs.model.dropout=0.3") for name in "ab")
    other = computed(tmp_path / "c", "rounds=3", "model=convnet2", "fs.model.dropout=0.3", "seed=99")
    for name in ("ledger.jsonl", "eval_results.log", "engine.log"):
        assert files_below(first.path)[name] == files_below(second.path)[name]
    assert first.eval_results.read_text() != other.eval_results.read_text()


class TestBytesGrowWithTheModel:
    """An uplink message is 4 B per trainable parameter; a downlink message adds the batch-norm buffers."""

    @pytest.mark.parametrize(("model", "hidden"), [("mlp_s", 16), ("mlp_m", 64), ("mlp_l", 256)])
    def test_of_the_mlp(self, tmp_path: Path, model: str, hidden: int) -> None:
        ledger = read_ledger(computed(tmp_path / "run", f"model={model}", "clients=4", "rounds=2").ledger)
        linears = (64 * hidden + hidden) + (hidden * 10 + 10)
        norms = 2 * hidden + 2 * 10  # a weight and a bias each, also behind the last layer
        buffers = 2 * hidden * 4 + 8 + 2 * 10 * 4 + 8  # float32 mean and variance, an int64 count, per norm
        uplink, downlink = 4 * (linears + norms), 4 * (linears + norms) + buffers
        assert ledger.header["params"] == linears + norms
        for row in messages(ledger, "model_para", "uplink"):
            assert (row["messages"], row["payload_bytes"]) == (4, 4 * uplink)
        for row in messages(ledger, "model_para", "downlink"):
            assert (row["messages"], row["payload_bytes"]) == (4, 4 * downlink)

    def test_of_lr_which_has_no_buffers(self, tmp_path: Path) -> None:
        ledger = read_ledger(computed(tmp_path / "run", "model=lr", "rounds=1").ledger)
        each = 4 * (64 * 10 + 10)
        assert total(ledger, "model_para", "uplink") == total(ledger, "model_para", "downlink") == 3 * each


class TestProtocol:
    """The number of messages of each type, from the rules and not from the engine."""

    def test_sampling_evaluates_at_all_clients(self, tmp_path: Path) -> None:
        run = computed(tmp_path / "run", "clients=10", "clients_per_round=3", "rounds=5", "eval_every=2")
        ledger = read_ledger(run.ledger)
        evaluations = len([r for r in range(1, 5) if r % 2 == 0]) + 1
        count = {
            ("join_in", "uplink"): 10,
            ("model_para", "downlink"): 5 * 3,
            ("model_para", "uplink"): 5 * 3,
            ("evaluate", "downlink"): evaluations * 10,
            ("metrics", "uplink"): evaluations * 10,
            ("finish", "downlink"): 10,
        }
        assert {key: total(ledger, *key, "messages") for key in count} == count
        assert {(row["type"], row["link"]) for row in ledger.messages} == set(count)

    def test_unseen_clients_only_evaluate(self, tmp_path: Path) -> None:
        run = computed(tmp_path / "run", "clients=10", "fs.federate.unseen_clients_rate=0.2", "rounds=3", "model=lr")
        ledger = read_ledger(run.ledger)
        assert total(ledger, "model_para", "uplink", "messages") == 3 * 8
        assert total(ledger, "metrics", "uplink", "messages") == 3 * 10
        uploads = [w["sent"]["payload_bytes"] for w in ledger.workers if w["worker"] > 0]
        assert sorted(uploads) == [0, 0, *[3 * 2600] * 8]
        assert "Results_weighted_avg_unseen" in run.eval_results.read_text()
        assert len(told(run, "test_acc")) == 3

    def test_a_global_evaluation_sends_nothing(self, tmp_path: Path) -> None:
        ledger = read_ledger(computed(tmp_path / "run", "fs.federate.make_global_eval=true", "rounds=2").ledger)
        assert {row["type"] for row in ledger.messages} == {"join_in", "model_para", "finish"}

    @pytest.mark.parametrize(("every", "patience"), [(1, 1), (2, 3), (3, 2)])
    def test_an_early_stop_trains_one_round_more_than_it_uses(self, tmp_path: Path, every: int, patience: int) -> None:
        no_progress = "fs.early_stop.delta=1e9"  # no loss falls by that much, so the first evaluation stays the best
        words = ("rounds=20", f"eval_every={every}", f"patience={patience}", no_progress)
        run = computed(tmp_path / "run", *words)
        ledger = read_ledger(run.ledger)
        lines = [json.loads(line) for line in run.system_metrics.read_text().splitlines()]
        stop = lines[0]["global_convergence_round"]
        assert stop == every * (1 + patience)
        assert total(ledger, "model_para", "downlink", "messages") == 3 * (stop + 1)
        assert total(ledger, "model_para", "uplink", "messages") == 3 * (stop + 1)
        assert total(ledger, "evaluate", "downlink", "messages") == 3 * (1 + patience)
        assert total(ledger, "converged", "downlink", "messages") == 3
        assert messages(ledger, "finish", "downlink")[0]["round"] == 21

    @pytest.mark.parametrize("protocol", ["v0.2.0", "v0.3.0"])
    def test_older_releases_upload_the_buffers_too(self, tmp_path: Path, protocol: str) -> None:
        ledger = read_ledger(computed(tmp_path / "run", f"engine.protocol={protocol}", "rounds=2").ledger)
        assert total(ledger, "model_para", "uplink") == total(ledger, "model_para", "downlink")


class TestLogs:
    """What FederatedScope's monitor counts, recomputed from the ledger."""

    def test_both_directions_are_counted_but_for_the_message_being_handled(self, tmp_path: Path) -> None:
        rounds, clients = 4, 3
        run = computed(tmp_path / "run", f"rounds={rounds}", f"clients={clients}")
        ledger = read_ledger(run.ledger)
        server, *others = (json.loads(line) for line in run.system_metrics.read_text().splitlines()[:-2])

        def each(msg_type: str, link: str) -> int:
            rows = messages(ledger, msg_type, link)
            return int(rows[0]["reported_bytes"] // rows[0]["messages"])

        down = (each("model_para", "downlink") + each("evaluate", "downlink")) * rounds
        assert server["total_upload_bytes"] == clients * down  # without finish, sent after the line is written
        received = sum(total(ledger, t, "uplink", "reported_bytes") for t in ("join_in", "model_para", "metrics"))
        missed = received - server["total_download_bytes"]  # the last metrics message
        assert 1000 < missed < 1300
        for other in others:
            assert other["total_download_bytes"] == down  # without finish, being handled
            sent = next(w for w in ledger.workers if w["worker"] == other["id"])["sent"]["reported_bytes"]
            assert other["total_upload_bytes"] == sent

    def test_the_merged_line_is_a_mean_over_server_and_clients_in_binary_units(self, tmp_path: Path) -> None:
        run = computed(tmp_path / "run", "rounds=2")
        *workers, average, deviation = (json.loads(line) for line in run.system_metrics.read_text().splitlines())
        values = [w["total_download_bytes"] for w in workers]
        assert average["sys_avg/total_download_bytes"] == f"{round(np.mean(values) / 1024, 2)}K"
        assert deviation["sys_std/total_download_bytes"] == str(round(np.std(values), 2))
        assert [w["id"] for w in workers] == [0, 1, 2, 3]

    def test_lines_and_keys_are_federatedscopes(self, tmp_path: Path) -> None:
        """Against the logs of a real run: 10 clients of which 3 are sampled, 4 rounds."""
        run = computed(tmp_path / "run", f"fs_config={DATA / 'fs_sampled_config.yaml'}")

        def shape(line: str) -> list[Any]:
            content = ast.literal_eval(line.replace("nan", "None"))
            results = {key: sorted(value) for key, value in content.items() if key.startswith("Results")}
            return [content["Role"], content["Round"], results]

        ours, theirs = (p.read_text().splitlines() for p in (run.eval_results, DATA / "fs_eval_results.log"))
        assert [shape(line) for line in ours] == [shape(line) for line in theirs]

        ours, theirs = (p.read_text().splitlines() for p in (run.system_metrics, DATA / "fs_system_metrics.log"))
        workers, real = ([json.loads(line) for line in lines] for lines in (ours, theirs))
        assert [list(line) for line in workers] == [list(line) for line in real]
        assert [line["id"] for line in workers] == [line["id"] for line in real]
        flops = [sum(line.get("total_flops", 0) for line in lines) for lines in (workers, real)]
        assert flops[0] == flops[1]
        assert {line.get("total_model_size") for line in workers} == {line.get("total_model_size") for line in real}

    def test_the_published_average_is_reproduced(self) -> None:
        """A server at 114072 and three clients at 39504 were published as 56.78K."""
        assert binary_text(float(np.mean([114072, 39504, 39504, 39504]))) == "56.78K"
        assert binary_text(4.5) == "4.5"
        assert binary_text(0.0) == "0.0"


class TestData:
    @pytest.mark.parametrize("splitter", ["alpha=null", "alpha=0.5"])
    @pytest.mark.parametrize("clients", [1, 3, 10])
    def test_every_sample_is_given_to_one_client(self, splitter: str, clients: int) -> None:
        federation = load_federation(Options(cell_of(splitter, f"clients={clients}")))
        for split, size in (("train", 1437), ("val", 179), ("test", 181)):
            parts = [c[split] for c in federation.clients.values()]
            assert sum(len(part) for part in parts) == len(federation.server[split]) == size
            mine = torch.cat([part.x for part in parts]).sum(0)
            assert torch.allclose(mine, federation.server[split].x.sum(0), atol=1e-2)
            assert min(len(part) for part in parts) > 0

    def test_a_small_alpha_skews_the_labels(self) -> None:
        def largest_share(override: str) -> float:
            federation = load_federation(Options(cell_of(override, "clients=5")))
            counts = [torch.bincount(c["train"].y, minlength=10) for c in federation.clients.values()]
            return float(np.mean([float(c.max() / c.sum()) for c in counts]))

        assert largest_share("alpha=0.1") > 2 * largest_share("alpha=null")

    def test_val_follows_the_labels_of_train(self) -> None:
        federation = load_federation(Options(cell_of("alpha=0.3", "clients=3")))
        for splits in federation.clients.values():
            train, val = (torch.bincount(splits[s].y, minlength=10) / len(splits[s]) for s in ("train", "val"))
            assert float(torch.corrcoef(torch.stack([train, val]))[0, 1]) > 0.6  # by chance it would be below 0

    def test_an_image_is_scaled_up_by_its_nearest_pixels(self) -> None:
        small = load_federation(Options(cell_of("model=convnet2")))
        large = load_federation(Options(cell_of("model=convnet2", "fs.data.args=[{resize: 32}]")))
        x = large.clients[1]["train"].x
        assert x.shape[1:] == (1, 32, 32)
        assert torch.equal(x[:, :, ::4, ::4], small.clients[1]["train"].x)

    def test_toy_clients_share_their_test_split(self) -> None:
        federation = load_federation(Options(cell_of("data=toy", "model=lr", "clients=4")))
        assert all(torch.equal(c["test"].x, federation.server["test"].x) for c in federation.clients.values())
        spread = [float(federation.clients[k]["train"].x.std()) for k in (1, 2, 3, 4)]
        assert spread == pytest.approx([0.5, 1.0, 1.5, 2.0], rel=0.1)


@pytest.mark.parametrize(
    ("overrides", "sizes"),
    [
        (["local_unit=batch", "local_steps=2"], [32, 32]),
        (["local_unit=batch", "local_steps=5"], [32, 32, 16, 32, 32]),
        (["local_unit=epoch", "local_steps=2"], [32, 32, 16, 32, 32, 16]),
        (["local_unit=epoch", "fs.dataloader.drop_last=true"], [32, 32]),
    ],
)
def test_batches_of_80_samples(overrides: list[str], sizes: list[int]) -> None:
    drawn = list(batches(80, Options(cell_of(*overrides)), torch.Generator().manual_seed(0)))
    assert [len(batch) for batch in drawn] == sizes
    first_pass = torch.cat(drawn[:3])
    assert len(set(first_pass.tolist())) == len(first_pass)


def test_summaries_over_clients() -> None:
    forms = summaries(
        [
            {"test_loss": 8.0, "test_total": 10, "test_acc": 0.5, "test_correct": 5.0},
            {"test_loss": 2.0, "test_total": 30, "test_acc": 0.9, "test_correct": 27.0},
        ]
    )
    assert forms["weighted_avg"] == pytest.approx(
        {"test_loss": 3.5, "test_total": 20, "test_acc": 0.8, "test_correct": 16}
    )
    assert forms["avg"]["test_acc"] == pytest.approx(0.7)
    assert forms["fairness"]["test_acc_min"] == 0.5
    assert forms["fairness"]["test_acc_std"] == pytest.approx(0.2)


def test_fairness_is_told_over_the_clients() -> None:
    """20 clients: a tenth are two of them."""
    values = [number / 20 for number in range(20, 0, -1)]
    found = summaries([{"test_acc": value, "test_total": 10} for value in values])["fairness"]
    shares = [value / sum(values) for value in values]
    mean, mean_square = sum(values) / 20, sum(value**2 for value in values) / 20
    assert {name.removeprefix("test_acc_"): value for name, value in found.items() if name != "test_total"} == (
        pytest.approx(
            {
                "std": (mean_square - mean**2) ** 0.5,
                "bottom_decile": 3 / 20,
                "top_decile": 19 / 20,
                "min": 1 / 20,
                "max": 1.0,
                "bottom10%": (1 + 2) / 2 / 20,
                "top10%": (19 + 20) / 2 / 20,
                "cos1": mean / mean_square**0.5,
                "entropy": -sum(share * math.log(share) for share in shares),
            }
        )
    )


def test_the_best_results_are_replaced_as_a_whole_when_the_deciding_metric_improves() -> None:
    best = Best("test_loss")
    for loss, accuracy in ((2.0, 0.5), (3.0, 0.9), (1.0, 0.4)):
        best.update("form", {"test_acc": accuracy, "test_loss": loss, "val_acc": 1.0})
        if loss == 3.0:
            assert best.results["form"]["test_acc"] == 0.5
    assert best.results["form"] == {"test_acc": 0.4, "test_loss": 1.0, "val_acc": 1.0}


def test_the_best_client_of_each_metric() -> None:
    best = Best("test_acc")
    best.update_individual("form", {"test_acc": np.array([0.5, 0.9]), "test_loss": np.array([3.0, 2.0])})
    assert best.results["form"] == {"test_acc": 0.9, "test_loss": 2.0}


def test_fairness_is_decided_by_the_last_of_its_keys() -> None:
    """As FederatedScope does: of test_loss_std and test_loss_max, by the latter."""
    best = Best("test_loss")
    best.update("fairness", {"test_loss_std": 1.0, "test_loss_max": 5.0})
    best.update("fairness", {"test_loss_std": 0.5, "test_loss_max": 6.0})
    assert best.results["fairness"] == {"test_loss_std": 1.0, "test_loss_max": 5.0}


def test_early_stop_counts_evaluations_without_progress() -> None:
    stop = EarlyStop(patience=2, delta=0.0, larger=False)
    assert [stop.after(v) for v in (3.0, 2.0, 2.5, 1.9, 2.0, 2.1)] == [False, False, False, False, False, True]
    assert not any(EarlyStop(0, 0.0, False).after(v) for v in (1.0, 2.0, 3.0))
    assert not any(EarlyStop(1, 0.0, False).after(v) for v in (1.0, float("nan")))


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["fs.vertical.use=true"], ["fs.vertical.use=True", "engine=federatedscope does"]),
        (["fs.federate.method=gcflplus"], ["fs.federate.method=gcflplus", "engine=builtin knows FedAvg"]),
        (["fs.data.type=femnist"], ["fs.data.type=femnist", "digits_flat"]),
        (["fs.data.splitter=iid"], ["fs.data.splitter=iid", "iid_fixed"]),
        (["clients=10000"], ["clients=10000", "179 val samples", "at most 179"]),
        (["clients=180"], ["clients=180", "at most 179"]),
        (["clients=1438", "fs.federate.make_global_eval=true"], ["1437 train samples"]),
        (["data=toy"], ["take model=lr"]),
        (["model=convnet2", "fs.data.type=digits_flat"], ["takes images"]),
        (["fs.criterion.type=MSELoss"], ["does not fit data"]),
        (["fs.eval.metrics=[roc_auc]"], ["has no roc_auc", "acc"]),
        (["fs.eval.best_res_update_round_wise_key=test_f1"], ["no evaluation tells it"]),
        (["fs.eval.split=[tset]"], ["no split tset"]),
        (["fs.federate.unseen_clients_rate=0.5", "clients=4", "clients_per_round=3"], ["the 2 clients that are not"]),
        (["fs.federate.unseen_clients_rate=1.5"], ["must be in [0, 1)"]),
        (["engine.protocol=v9"], ["engine.protocol=v9", "v0.3.0"]),
    ],
)
def test_what_it_cannot_do_is_refused_before_anything_runs(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        BuiltinEngine().check(cell_of(*overrides))
    for word in words:
        assert word in str(error.value)


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["alpha=0.001", "clients=100"], "alpha=0.001 leaves a client"),
        (["clients=43"], "one sample"),
        (["fs.train.optimizer.momentumm=0.9"], "momentumm"),
    ],
)
def test_a_run_that_fails_is_an_outcome_with_a_reason_and_a_log(
    tmp_path: Path, overrides: list[str], words: str
) -> None:
    cell = cell_of(*overrides)
    run = RunDir(tmp_path / "run")
    run.write_cell(cell)
    outcome = BuiltinEngine().run(cell, run)
    assert outcome.status is Status.FAILED
    assert words in outcome.reason
    assert "\n" not in outcome.reason
    assert "Traceback" in run.engine_log.read_text()
    assert not run.ledger.exists()
