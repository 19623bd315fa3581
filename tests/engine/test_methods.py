"""The builtin engine's methods: each learns, sends what FederatedScope's does, and computes what its paper says."""

from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

import torch
from torch import nn

from fscost.cells.outcome import Outcome, Status
from fscost.collect.fs_logs import read_eval_results
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.builtin.aggregation import AGGREGATIONS, Aggregator, Swa, Update, secret_shares, summed
from fscost.engine.builtin.beside_models import BESIDE
from fscost.engine.builtin.client_data import load_federation
from fscost.engine.builtin.local_update import LOCAL_UPDATES
from fscost.engine.builtin.payloads import Exchange
from fscost.engine.builtin.server import Server
from fscost.engine.builtin.training import Pull
from fscost.errors import ConfigError
from fscost.protocol.course_options import Options
from fscost.protocol.fs_options import leaves
from fscost.protocol.methods import METHODS
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RunDir
from tests.conftest import TRAINED_METHODS, cell_of
from tests.engine.test_golden import GOLDEN


def test_what_is_computed_is_named_after_a_method() -> None:
    """A slip of the pen would be trained as FedAvg."""
    names = [method.name for method in METHODS]
    assert len(names) == len({*names}) and {*LOCAL_UPDATES, *AGGREGATIONS, *BESIDE} <= {*names}


def test_every_method_of_federatedscope_was_recorded_there() -> None:
    asked = [{name: str(value).lower() for name, value in leaves(case["config"])} for case in GOLDEN.values()]
    for method in METHODS:
        if not method.is_own and method.name != "fedavg":  # its default
            assert any(one.get(n) == str(v).lower() for one in asked for n, v in method.when.items()), method.name


def computed(folder: Path, *overrides: str) -> tuple[RunDir, Outcome]:
    cell, run = cell_of("engine=builtin", *overrides), RunDir(folder)
    BuiltinEngine().check(cell)
    run.write_cell(cell)
    return run, BuiltinEngine().run(cell, run)


def sums(run: RunDir, msg_type: str, link: str, key: str = "payload_bytes") -> int:
    rows = [row for row in read_ledger(run.ledger).messages if (row["type"], row["link"]) == (msg_type, link)]
    return sum(row[key] for row in rows)


@pytest.mark.pipeline
@pytest.mark.parametrize("method", TRAINED_METHODS)
def test_every_method_learns(method: str, tmp_path: Path) -> None:
    run, outcome = computed(tmp_path / "run", f"method={method}", "model=mlp_m", "clients=5", "rounds=6")
    assert outcome.status is Status.DONE, outcome.reason
    first, *_, last = read_eval_results(run.eval_results, pytest.fail, "master")
    # with one model for all clients in memory, running statistics of batch norm are overwritten by the server's
    assert last["test_acc"] > (0.25 if method in ("online", "sharelocal") else 0.7)
    assert last["test_avg_loss"] < first["test_avg_loss"]


UPLOAD = 4 * (64 * 64 + 64 + 64 * 10 + 10 + 2 * 64 + 2 * 10)  # parameters of mlp_m, as float32
FULL = UPLOAD + 2 * 4 * (64 + 10) + 2 * 8  # with running statistics and the counters of batches


@pytest.mark.parametrize(
    ("method", "up", "down"),
    [
        ("fedavg", UPLOAD, FULL),
        ("fedbn", UPLOAD - 4 * 2 * (64 + 10), FULL),
        ("fedper", UPLOAD - 4 * (64 * 10 + 10), FULL),
        ("fedrep", 4 * 2 * (64 + 10), FULL),
        ("ditto", UPLOAD, FULL),
        ("fedem", 3 * UPLOAD, 3 * FULL),
        ("krum", UPLOAD, FULL),
        ("ss", 2 * UPLOAD, FULL),
        ("quant8", UPLOAD, FULL),  # nothing of an mlp is called fc or conv
        ("local", 0, 0),
    ],
)
def test_what_one_client_sends_and_gets_in_a_round(method: str, up: int, down: int, tmp_path: Path) -> None:
    run, _ = computed(tmp_path / "run", f"method={method}", "model=mlp_m", "rounds=2")
    assert sums(run, "model_para", "uplink") == 2 * 3 * up
    assert sums(run, "model_para", "downlink") == 2 * 3 * down
    assert sums(run, "finish", "downlink") == 3 * (3 * FULL if method == "fedem" else FULL)


def test_secret_shares_go_from_each_client_to_each_other(tmp_path: Path) -> None:
    run, _ = computed(tmp_path / "run", "method=ss", "model=lr", "clients=4", "rounds=2")
    assert sums(run, "ss_model_para", "peer", "messages") == 2 * 4 * 3
    assert sums(run, "ss_model_para", "peer") == 2 * 4 * 3 * 8 * 650
    assert sums(run, "address", "downlink", "messages") == 4


def test_secret_sharing_learns_what_fedavg_does(tmp_path: Path) -> None:
    last = []
    for method in ("fedavg", "ss"):
        run, _ = computed(tmp_path / method, f"method={method}", "model=lr", "rounds=3")
        last.append(read_eval_results(run.eval_results, pytest.fail, "master")[-1]["test_loss"])
    assert last[0] == pytest.approx(last[1], rel=1e-3)


def test_shares_tell_their_sum_and_nothing_alone() -> None:
    entries = {"w": torch.tensor([[1.5, -2.25], [0.0, 1e-3]])}
    shares = secret_shares(entries, sample_size=7, parties=3, rng=np.random.default_rng(0))
    total = summed(shares)["w"]
    signed = np.where(total >= 2**49, total - 2.0**50, total) / 2**16 / 7
    assert signed == pytest.approx(np.array([[1.5, -2.25], [0.0, 1e-3]]), abs=1e-5)
    assert all(share["w"].max() > 2**40 for share in shares)  # noise over the whole range


def test_eight_bits_are_a_quarter_plus_a_scale_per_weight(tmp_path: Path) -> None:
    run, outcome = computed(tmp_path / "run", "method=quant8", "model=lr", "rounds=1")
    assert sums(run, "model_para", "uplink") == 3 * (640 + 4 + 40)
    assert sums(run, "evaluate", "downlink") == 3 * 2600
    assert outcome.warnings == ()


def test_quantised_weights_are_as_close_as_the_bits_allow() -> None:
    options = Options(cell_of("method=quant8", "model=lr"))
    model = nn.ModuleDict({"fc": nn.Linear(64, 10)})
    exchange = Exchange(model, options)
    (back,) = exchange.received(1, exchange.for_training([model], state=0), state=0)
    weight = model["fc"].weight.detach()
    assert back.keys() == {"fc.weight", "fc.bias"}
    assert float((back["fc.weight"] - weight).abs().max()) <= float(weight.abs().max()) / 127 / 2 * 1.01
    assert torch.equal(back["fc.bias"], model["fc"].bias)


@pytest.mark.parametrize(
    ("overrides", "warning"),
    [
        (["method=quant8", "model=mlp_s"], "quantised nothing"),
        (["model=mlp_s", "fs.personalization.local_param=[bn]"], "bn is in no name of the state_dict"),
    ],
)
def test_an_option_without_effect_is_a_warning(overrides: list[str], warning: str, tmp_path: Path) -> None:
    _, outcome = computed(tmp_path / "run", *overrides, "rounds=1")
    assert outcome.status is Status.DONE
    (line,) = outcome.warnings
    assert warning in line


def test_fedswa_evaluates_once_more(tmp_path: Path) -> None:
    run, _ = computed(tmp_path / "run", "method=fedswa", "model=lr", "rounds=4", "eval_every=2")
    assert sums(run, "evaluate", "downlink", "messages") == 3 * (2 + 1)
    (finish,) = (row for row in read_ledger(run.ledger).messages if row["type"] == "finish")
    assert finish["round"] == 5
    assert "'Role': 'Server SWA#', 'Round': 'Final'" in run.eval_results.read_text()


class TestAsynchronous:
    def test_every_upload_answers_a_broadcast(self, tmp_path: Path) -> None:
        run, _ = computed(tmp_path / "run", "method=asyn", "model=lr", "clients=7", "rounds=5")
        assert sums(run, "model_para", "downlink", "messages") == sums(run, "model_para", "uplink", "messages")

    def test_all_clients_and_no_tolerance_is_a_synchronous_course(self, tmp_path: Path) -> None:
        ledgers = []
        for name, words in (("a", ["method=asyn", "fs.asyn.min_received_num=3"]), ("b", ["method=fedavg"])):
            run, _ = computed(tmp_path / name, *words, "model=lr", "rounds=3")
            rows = read_ledger(run.ledger).messages
            ledgers.append(sorted((row["round"], row["type"], row["link"], row["payload_bytes"]) for row in rows))
        assert ledgers[0] == ledgers[1]


class TestAggregation:
    """Three or five updates of one number each."""

    @staticmethod
    def aggregated(values: list[float], *overrides: str, sizes: list[int] | None = None, stale: int = 0) -> float:
        model = nn.Linear(1, 1, bias=False)
        nn.init.constant_(model.weight, 10.0)
        options = Options(cell_of(f"clients={len(values)}", "model=lr", *overrides))
        updates = [
            Update(size, {"weight": torch.tensor([[value]])}, stale if number == 0 else 0)
            for number, (value, size) in enumerate(zip(values, sizes or [1] * len(values), strict=True))
        ]
        Aggregator(model, options).aggregate(updates)
        return float(model.weight.detach())

    def test_the_mean_is_weighted_by_samples(self) -> None:
        assert self.aggregated([1.0, 5.0], sizes=[3, 1]) == 2.0
        assert self.aggregated([1.0, 5.0], "fs.federate.ignore_weight=true", sizes=[3, 1]) == 3.0

    def test_robust_rules_add_a_difference(self) -> None:
        outlier = [1.0, 1.2, 1.1, 0.9, 100.0]
        assert self.aggregated(outlier, "method=median") == pytest.approx(11.1)
        krum = self.aggregated(outlier, "method=krum", "fs.aggregator.byzantine_node_num=1")
        assert krum == pytest.approx(11.1, abs=0.11)
        trimmed = self.aggregated(
            outlier, "method=trimmedmean", "fs.aggregator.BFT_args.trimmedmean_excluded_ratio=0.2"
        )
        assert trimmed == pytest.approx(10 + (1.0 + 1.1 + 1.2) / 3)
        bounded = self.aggregated(outlier, "method=normbounding")
        assert bounded == pytest.approx(10 + (1.0 + 1.2 + 1.1 + 0.9 + 10.0) / 5)
        weighted = self.aggregated([1.0, 100.0], "method=normbounding", sizes=[3, 1])
        assert weighted == pytest.approx(10 + (3 * 1.0 + 10.0) / 4)

    @pytest.mark.parametrize(("byzantine", "chosen"), [(1, 4.0), (2, 2.0)])
    def test_krum_looks_at_the_nearest_but_f_and_two(self, byzantine: int, chosen: float) -> None:
        """Of 7 updates, the squared distances to 2 nearest others are least for 1, to 3 for 2, to 4 for 4."""
        values = [12.0, 10.0, 9.0, 4.0, 2.0, 1.0, 0.0]
        krum = self.aggregated(values, "method=krum", f"fs.aggregator.byzantine_node_num={byzantine}")
        assert krum == 10 + chosen

    def test_krum_squares_distances_and_averages_as_many_as_it_is_told(self) -> None:
        """To their 2 nearest, 9 has 3² + 4² and 1 has 1² + 5²; without squares 1 would be nearer."""
        values = [0.0, 1.0, 6.0, 9.0, 13.0]
        words = ("method=krum", "fs.aggregator.byzantine_node_num=1")
        assert self.aggregated(values, *words) == 10 + 9
        assert self.aggregated(values, *words, "fs.aggregator.BFT_args.krum_agg_num=2") == 10 + (9 + 1) / 2

    def test_bulyan_drops_the_far_ones_and_the_extremes(self) -> None:
        """Of 7 updates, 7 - 2f are nearest to their n - f - 2 nearest; the mean is without f of them at each end."""
        values = [50.0, 8.0, 5.0, 4.0, 3.0, 2.0, 0.0]
        found = self.aggregated(values, "method=bulyan", "fs.aggregator.byzantine_node_num=1")
        assert found == 10 + (2 + 3 + 4) / 3

    @pytest.mark.parametrize(
        ("factor", "stale", "share"),
        [(1.0, 1, 1 / 2), (1.0, 3, 1 / 4), (0.5, 3, 1 / 2), (2.0, 1, 1 / 4), (2.0, 2, 1 / 9), (0.0, 5, 1)],
    )
    def test_stale_updates_count_less(self, factor: float, stale: int, share: float) -> None:
        """An update τ rounds behind has (1 + τ)^-factor of its weight, and the others have no more for it."""
        words = ("method=asyn", f"fs.asyn.staleness_discount_factor={factor}")
        assert self.aggregated([4.0, 8.0], *words, stale=stale) == pytest.approx(10 + 4 / 2 * share + 8 / 2)

    def test_fedopt_takes_the_difference_as_a_gradient(self) -> None:
        words = ("method=fedopt", "fs.fedopt.optimizer.type=SGD", "fs.fedopt.optimizer.lr=0.5")
        assert self.aggregated([2.0, 6.0], *words) == pytest.approx(10 - 0.5 * (10 - 4))

    def test_pfedme_goes_part_of_the_way(self) -> None:
        assert self.aggregated([2.0], "method=pfedme", "fs.personalization.beta=0.25") == pytest.approx(8.0)

    @pytest.mark.parametrize(("start", "every", "taken"), [(2, 2, [2, 4, 6]), (3, 2, [3, 5]), (1, 4, [1, 5])])
    def test_swa_is_the_mean_of_the_rounds_it_takes(self, start: int, every: int, taken: list[int]) -> None:
        words = (f"fs.fedswa.start_rnd={start}", f"fs.fedswa.freq={every}", "rounds=9")
        options = Options(cell_of("fs.fedswa.use=true", *words))
        model = nn.Linear(1, 1, bias=False)
        swa = Swa(options, [model])
        for state in range(1, 7):
            nn.init.constant_(model.weight, float(state))
            swa.after(state, [model])
        assert float(swa.models[0].state_dict()["weight"]) == pytest.approx(fmean(taken))


@pytest.mark.parametrize(("rounds", "is_noisy"), [(20, True), (6, False), (5, False)])
def test_nbafl_clips_the_global_model_and_adds_noise_where_the_rounds_are_many(rounds: int, is_noisy: bool) -> None:
    """Wei et al., theorem 1: more than L·√N rounds need noise of deviation 2·C·c·√(T² - L²·N) / (m·N·ε)."""
    words = ("method=nbafl", "clients=4", "clients_per_round=3", f"rounds={rounds}", "fs.nbafl.w_clip=0.5")
    options = Options(cell_of(*words, "fs.nbafl.constant=2.0", "fs.nbafl.epsilon=10.0"))
    model = nn.Linear(1000, 100, bias=False)
    nn.init.constant_(model.weight, -7.0)
    exchange = Exchange(model, options)
    server = Server(options, load_federation(options), None, None, [model], exchange)  # type: ignore[arg-type]
    server.joined = {client: {"num_sample": 50 + client} for client in (1, 2, 3, 4)}
    server._add_noise()
    deviation = 2 * 0.5 * 2.0 * (20**2 - 3**2 * 4) ** 0.5 / (51 * 4 * 10.0) if is_noisy else 0.0
    weight = model.weight.detach()
    assert float(weight.mean()) == pytest.approx(-0.5, abs=1e-3)
    assert float(weight.std()) == pytest.approx(deviation, rel=0.02)


def test_prox_pulls_by_half_of_its_strength_times_the_squared_distance() -> None:
    pull = Pull(0.5, [torch.tensor([1.0, 2.0]), torch.tensor(0.0)])
    assert float(pull.loss([torch.tensor([4.0, 2.0]), torch.tensor(4.0)])) == 0.5 / 2 * (3**2 + 4**2)


@pytest.mark.parametrize(
    ("overrides", "samples", "sample_size"),
    [  # as FederatedScope counted them with 1,000 samples in batches of 32
        (["method=ditto"], 1000, 1000),
        (["method=ditto", "local_unit=batch", "local_steps=40"], 1000, 1256),
        (["method=fedrep", "fs.personalization.epoch_feature=2"], 1000, 3000),
        (["method=fedrep", "fs.personalization.epoch_feature=2", "local_unit=batch", "local_steps=3"], 1000, 288),
        (["method=fedrep", "fs.personalization.epoch_feature=2", "local_unit=batch", "local_steps=40"], 1000, 2256),
        (["method=pfedme", "fs.personalization.K=2"], 1000, 2048),
        (["method=pfedme", "fs.personalization.K=2", "local_unit=batch", "local_steps=3"], 1000, 192),
        (["method=pfedme", "fs.personalization.K=3", "local_unit=batch", "local_steps=40"], 1000, 5376),
        (["method=pfedme", "fs.personalization.K=2", "local_steps=2", "batch_size=1024"], 1000, 4000),
        (["local_steps=2", "fs.dataloader.drop_last=true"], 1000, 2 * 992),
    ],
)
def test_sample_size_is_federatedscopes(overrides: list[str], samples: int, sample_size: int) -> None:
    assert Options(cell_of(*overrides)).local_steps.sample_size(samples) == sample_size


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["method=ss", "clients=5", "clients_per_round=3"], "secret sharing needs all 5 clients"),
        (["method=ss", "fs.quantization.method=uniform"], "secret shares are not quantised"),
        (["method=ss", "clients=1"], "at least 2 clients"),
        (["method=krum", "fs.aggregator.byzantine_node_num=1"], "krum against 1 byzantine clients needs at least 5"),
        (["method=bulyan", "clients=5", "fs.federate.sample_client_rate=-1"], "fails without"),
        (["fs.aggregator.robust_rule=krum"], "krum_agg_num: FederatedScope fails without it"),
        (["method=krum", "fs.aggregator.BFT_args.krum_agg_num=-1"], "must be a number of at least 0"),
        (["method=trimmedmean", "fs.aggregator.BFT_args.trimmedmean_excluded_ratio=0.5"], "must be below 0.5"),
        (["method=fedem", "fs.model.model_num_per_trainer=1"], "FedEM mixes at least 2 models"),
        (["method=fedswa", "rounds=1"], "must be at least 1 and below rounds=1"),
        (["method=local", "patience=1"], "every client stops by itself"),
        (["method=ditto", "fs.eval.split=[train,test]"], "what ditto evaluates of train is not known"),
        (["method=krum", "fs.asyn.use=true"], "aggregates in one way only"),
        (["method=sharelocal", "fs.federate.method=Ditto"], "clients of ditto have models of their own"),
        (["method=fedrep", "fs.personalization.epoch_linear=0"], "must be at least 1"),
        (["fs.federate.join_in_info=[client_resource]"], r"must be \[\] or \[num_sample\]"),
        (["method=quant8", "engine.protocol=v0.2.0"], "FederatedScope v0.2.0 has no such option"),
        (["method=asyn", "engine.protocol=v0.2.0"], "broadcasts by other rules"),
        (["method=ditto", "fs.finetune.before_eval=true"], "does not fine-tune the models of ditto"),
        (["method=pfedme", "fs.fedprox.use=true"], "does not pull the models of pfedme"),
        (["method=fedrep", "model=convnet2", "fs.fedprox.use=true"], "does not pull the models of fedrep"),
        (["method=fedem", "fs.fedprox.use=true"], "does not pull the models of fedem"),
        (["method=fedem", "fs.nbafl.use=true"], "adds no noise to the models of fedem"),
        (["fs.vertical.use=true"], "engine=federatedscope does"),
        (["method=asyn", "fs.asyn.aggregator=time_up"], "engine=federatedscope has the others"),
    ],
)
def test_what_federatedscope_does_not_run_is_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        BuiltinEngine().check(cell_of("engine=builtin", *overrides))


def test_fedrep_without_a_body_fails_with_the_reason(tmp_path: Path) -> None:
    run, outcome = computed(tmp_path / "run", "method=fedrep", "model=lr")
    assert outcome.status is Status.FAILED
    assert "FedRep needs a head and a body: personalization.local_param must name some of fc" in outcome.reason


def test_ditto_evaluates_a_model_of_its_own(tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    for method in ("fedavg", "ditto"):
        run, _ = computed(tmp_path / method, f"method={method}", "alpha=0.3", "rounds=3", "clients=3")
        found[method] = read_eval_results(run.eval_results, pytest.fail, "master")[-1]["test_avg_loss"]
        found[f"{method} bytes"] = sums(run, "model_para", "uplink")
    assert found["ditto"] != found["fedavg"]
    assert found["ditto bytes"] == found["fedavg bytes"]
