"""Grids become cells: order, defaults and spelling change nothing, and what is unknown is refused by name."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from fscost.api import selection
from fscost.engine import identify
from fscost.errors import ConfigError
from fscost.plan import plan
from tests.conftest import DATA, Result, cell_of, cells_of


def refusal(*overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        cells_of(*overrides)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_grid_is_the_product_of_its_axes() -> None:
    cells = cells_of("method=fedavg,fedprox", "clients=3,10", "seed=range(0,3)")
    assert len({cell.id for cell in cells}) == 12
    assert {(c.axes["method"], c.axes["clients"]) for c in cells} == {
        ("fedavg", 3), ("fedavg", 10), ("fedprox", 3), ("fedprox", 10)}  # fmt: skip


@pytest.mark.pipeline
def test_order_and_defaults_do_not_change_a_cell() -> None:
    plain = cell_of("method=fedprox", "clients=10")
    assert cell_of("clients=10", "method=fedprox").id == plain.id
    assert cell_of("method=fedprox", "clients=10", "rounds=10", "seed=0", "model=mlp_m").id == plain.id
    assert cell_of("method=fedprox", "clients=10", "clients_per_round=10").id == plain.id
    assert cell_of("method=fedprox", "clients=10", "fs.grad.grad_clip=-1").id == plain.id
    assert cell_of("method=fedprox", "clients=10", "fs.outdir=elsewhere").id == plain.id
    assert cell_of("method=fedprox", "clients=10", "fs.federate.method=fedavg").id == plain.id
    assert cell_of("method=fedprox", "clients=10", "fs.federate.sample_client_rate=1.0").id == plain.id
    assert cell_of("fs.data.splitter=lda").id == cell_of("alpha=0.5").id
    assert cell_of("model=lr", "fs.model.hidden=64").id == cell_of("model=lr").id
    assert cell_of("method=fedprox", "fs.federate.client_num=10").id == plain.id


@pytest.mark.parametrize("override", ["rounds=11", "lr=0.2", "fs.train.optimizer.momentum=0.9", "alpha=0.5", "seed=1"])
def test_a_setting_that_matters_makes_another_cell(override: str) -> None:
    assert cell_of(override).id != cell_of().id


class TestSeveralBadCells:
    """What is wrong with the cells of a grid is told at once, each problem with the number of cells that have it."""

    @staticmethod
    def told(*overrides: str) -> list[str]:
        with pytest.raises(ConfigError) as error:
            cells_of(*overrides)
        return str(error.value).splitlines()

    def test_each_problem_is_one_line(self) -> None:
        assert self.told("clients=-1,3", "clients_per_round=5,1", "rounds=0,1") == [
            "7 of 8 cells cannot be computed:",
            "- clients=-1: must be a whole number of at least 1 (4 cells)",
            "- rounds=0: must be a whole number of at least 1 (4 cells)",
            "- clients_per_round=5: must not exceed clients=3 (2 cells)",
        ]

    def test_those_of_a_groups_options_too(self) -> None:
        assert self.told("alpha=-1,0.5,x", "seed=0,1") == [
            "4 of 6 cells cannot be computed:",
            "- alpha=-1: must be a number above 0, or null for an iid split (2 cells)",
            "- alpha=x: must be a number above 0, or null for an iid split (2 cells)",
        ]

    def test_one_problem_is_told_in_one_line(self) -> None:
        assert self.told("clients=3,5", "seed=-1,0") == ["seed=-1: must be a whole number of at least 0 and below 2^32"]
        assert self.told("clients=-1", "seed=-1") == [
            "clients=-1: must be a whole number of at least 1; "
            "seed=-1: must be a whole number of at least 0 and below 2^32"
        ]

    def test_a_twin_is_told_if_nothing_else_is_wrong(self) -> None:
        assert self.told("clients_per_round=-1,3,4") == ["clients_per_round=4: must not exceed clients=3"]

    def test_what_engines_refuse_is_told_together_too(self) -> None:
        with pytest.raises(ConfigError) as error:
            selection.planned(["engine=estimate", "method=fedavg,asyn", "patience=0,3", "model=lr,mlp_s"])
        first, stops, timing = str(error.value).splitlines()
        assert first == "6 of 8 cells cannot be computed:"
        assert "patience" in stops
        assert "fs.asyn.use=True" in timing
        assert stops.endswith(" (4 cells)")
        assert timing.endswith(" (4 cells)")


def test_twins_are_refused() -> None:
    assert "are the same cell" in refusal("clients=3", "clients_per_round=-1,3")


@pytest.mark.pipeline
def test_a_sweep_file_is_a_grid_and_the_command_line_wins() -> None:
    from_file = cells_of("sweeps=quickstart")
    assert [c.id for c in from_file] == [c.id for c in cells_of("method=fedavg,fedprox", "clients=3,10")]
    assert {c.axes["clients"] for c in cells_of("sweeps=quickstart", "clients=5")} == {5}
    assert len(cells_of("sweeps=quickstart", "seed=0,1")) == 8


@pytest.mark.pipeline
def test_a_name_for_files_is_no_longer_than_their_names_can_be(tmp_path: Path) -> None:
    names = [f"{'n' * 240}{end}" for end in "ab"]
    (tmp_path / "sweeps").mkdir()
    for name in names:
        (tmp_path / "sweeps" / f"{name}.yaml").write_text("# @package _global_\nclients: 3\n")
    cut = [plan([f"config_dir={tmp_path}", f"sweeps={name}", "engine=estimate"], identify).name for name in names]
    assert [len(name) for name in cut] == [120, 120] and cut[0] != cut[1]


def test_every_cell_knows_the_command_that_computes_it_alone() -> None:
    grid = plan(["sweeps=quickstart", "fs.eval.split=[test]", "rounds=2"], identify)
    for planned in grid.cells:
        assert cell_of(*planned.overrides).id == planned.cell.id
        assert planned.command.startswith("python -m fscost ")
        assert "'fs.eval.split=[test]'" in planned.command


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("method=fedavgg", ["no such method", "did you mean fedavg", "median, nbafl"]),
        ("model=mlp", ["no such model", "mlp_s"]),
        ("model=torchvision/resnet18", ["did you mean resnet18"]),
        ("sweeps=quikstart", ["no such sweeps", "did you mean quickstart"]),
        ("clinets=3", ["there is no clinets", "did you mean clients"]),
        ("fs.federate.cleint_num=3", ["no such option", "did you mean federate.client_num"]),
        ("fs.federate=3", ["no such option"]),
        ("clients=three", ["clients=three: must be a whole number"]),
        ("clients=[3,10]", ["clients=[3, 10]: must be a whole number"]),
        ("lr=fast", ["lr=fast: must be a number"]),
        ("fs.fedprox.use=1", ["1", "expected bool"]),
        ("alpha=x", ["alpha=x: must be a number above 0"]),
        ("alpha=nan", ["alpha=nan: must be a number above 0"]),
        ("lr=nan", ["lr=nan: must be a finite number"]),
        ("store=null", ["store=null: needs a value"]),
        ("method=null", ["method=null: needs a value"]),
        ("sweeps=null", ["sweeps=null: needs a value"]),
        ("method=fedavg,null", ["method=None: no such method"]),
        ("=3", ["=3: names nothing"]),
        ("fs.eval.metrics=null", ["fs.eval.metrics=None: expected list"]),
        ("fs.data.args=[resize]", ["must be a list of mappings"]),
        ("seed=99999999999", ["below 2^32"]),
        ("~seed", ["nothing can be deleted"]),
        ("hydra.job.name=mine", ["of Hydra's own settings only", "hydra/launcher=NAME"]),
        ("hydra/sweeper=basic", ["of Hydra's own settings only"]),
        ("hydrate=3", ["there is no hydrate"]),
        ("retries=-1", ["retries=-1: must be a whole number of at least 0"]),
        ("retries=true", ["retries=True: must be a whole number"]),
        ("retries=null", ["retries=null: needs a value"]),
        ("fail_fast=1", ["fail_fast=1: must be true or false"]),
    ],
)
def test_the_unknown_is_refused_by_name(override: str, words: list[str]) -> None:
    message = refusal(override)
    for word in words:
        assert word in message


@pytest.mark.filterwarnings("ignore:extend_list")
def test_a_list_is_set_as_a_whole() -> None:
    """Hydra 1.4 reads ``extend_list``, which 1.3 does not know; taken for the list itself, it would be another cell."""
    for override in ("fs.eval.metrics=extend_list(acc)", "table.rows=extend_list(seed)"):
        assert refusal(override).startswith(f"{override}: ")


def test_a_knob_of_another_option_is_not_silently_dropped() -> None:
    assert "alpha=0.5: has no effect" in refusal("data=toy", "model=lr", "alpha=0.5")


def test_a_knob_is_an_axis_of_those_cells_that_have_it() -> None:
    grid = ("engine=estimate", "engine.protocol=llm", "model=llama_7b", "data=samples")
    made = plan([*grid, "adapter=lora,prefix,none", "lora_rank=4,8", "virtual_tokens=10"], identify).cells
    arguments = [dict(*one.cell.get("llm.adapter.args", [{}])) for one in made]
    assert [(a.get("r"), a.get("num_virtual_tokens")) for a in arguments] == [
        (4, None), (8, None), (None, 10), (None, None)]  # fmt: skip
    assert [("lora_rank=8" in one.overrides, "virtual_tokens=10" in one.overrides) for one in made] == [
        (False, False), (True, False), (False, True), (False, False)]  # fmt: skip
    assert [cells_of(*one.overrides)[0].id for one in made] == [one.cell.id for one in made]
    assert "alpha=1: has no effect" in refusal(*grid, "adapter=lora,prefix", "lora_rank=4,8", "alpha=1")
    assert "are the same cell" in refusal(*grid, "adapter=lora,prefix", "lora_rank=4,4")


def test_a_folder_adds_options_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "fedprox_strong.yaml").write_text(
        "# @package _global_\nfs:\n  federate: {method: FedAvg}\n  fedprox: {use: true, mu: 5.0}\n"
    )
    cell = cell_of("method=fedprox_strong", f"config_dir={tmp_path}")
    assert cell.get("fedprox.mu") == 5.0
    (tmp_path / "method" / "of_none.yaml").write_text("fs: {fedprox: {use: true}}\n")
    assert "method=of_none: its file sets nothing" in refusal("method=of_none", f"config_dir={tmp_path}")
    assert "no such method" in refusal("method=fedprox_strong")
    assert "no such folder" in refusal("config_dir=nowhere")


def test_an_option_brings_the_default_of_a_knob_and_is_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "gentle.yaml").write_text("# @package _global_\ndefaults: [fedavg]\nlr: 0.01\n")
    (tmp_path / "method" / "list.yaml").write_text("- fedavg\n")
    own = f"config_dir={tmp_path}"
    assert cell_of("method=gentle", own).id == cell_of("lr=0.01").id
    assert cell_of("method=gentle", own, "lr=0.2").id == cell_of("lr=0.2").id
    assert refusal("method=list", own) == "method/list.yaml: must be a mapping from names to values"


def test_a_value_that_no_option_can_be_made_from_is_told_without_hydras_words() -> None:
    assert refusal("alpha=-1") == "alpha=-1: must be a number above 0, or null for an iid split"
    assert refusal("data=mnist5k", "model=lstm").startswith("data=mnist5k: has no form sequence")


class TestUnionOfGrids:
    """A sweep file with ``grids``: their cells follow one another, what they share is there once."""

    HEAD = "# @package _global_\n"
    UNION = (
        HEAD + "rounds: 4\ntable: {digits: 2}\ngrids:\n- model=mlp_s,lr clients=3,5\n- model=lr clients=5 seed=0,1\n"
    )

    @staticmethod
    def written(folder: Path, text: str) -> tuple[str, str]:
        """A sweep file in a folder of options, as overrides."""
        (folder / "sweeps").mkdir(exist_ok=True)
        (folder / "sweeps" / "union.yaml").write_text(text)
        return f"config_dir={folder}", "sweeps=union"

    def test_cells_follow_one_another_and_overlap_once(self, tmp_path: Path) -> None:
        cells = cells_of(*self.written(tmp_path, self.UNION))
        found = [(c.axes["model"], c.axes["clients"], c.axes["seed"]) for c in cells]
        assert found == [("mlp_s", 3, 0), ("mlp_s", 5, 0), ("lr", 3, 0), ("lr", 5, 0), ("lr", 5, 1)]
        assert cells[3].id == cell_of("model=lr", "clients=5", "rounds=4").id

    def test_settings_of_the_file_hold_for_all_grids(self, tmp_path: Path) -> None:
        made = plan(self.written(tmp_path, self.UNION), identify)
        assert (made.name, made.table["digits"]) == ("union", 2)
        assert {planned.cell.axes["rounds"] for planned in made.cells} == {4}

    @pytest.mark.pipeline
    def test_the_command_line_wins_in_every_grid(self, tmp_path: Path) -> None:
        words = self.written(tmp_path, self.UNION)
        assert {c.axes["clients"] for c in cells_of(*words, "clients=7,8")} == {7, 8}
        assert len(cells_of(*words, "model=lr", "seed=3", "clients=5")) == 1
        assert {c.axes["rounds"] for c in cells_of(*words, "rounds=9")} == {9}

    @pytest.mark.pipeline
    def test_every_cell_knows_the_command_that_computes_it_alone(self, tmp_path: Path) -> None:
        text = "grids: ['model=lr', 'model=lr fs.grad.grad_clip=1,2', 'model=lr lr=1']"
        made = plan(self.written(tmp_path, self.HEAD + text), identify)
        assert len(made.cells) == 4
        for planned in made.cells:
            assert cell_of(*shlex.split(planned.command)[3:]).id == planned.cell.id

    @pytest.mark.pipeline
    def test_one_grid_can_be_named(self, tmp_path: Path) -> None:
        words = self.written(tmp_path, self.UNION)
        assert [c.axes["seed"] for c in cells_of(*words, "grid=2")] == [0, 1]
        for wrong in ("grid=0", "grid=3", "grid=1,2", "grid=true", "grid=1.0"):
            assert "one of the sweep file's grids, 1 to 2" in refusal(*words, wrong)
        assert "1 to 1" in refusal("grid=2")

    def test_words_are_split_as_in_a_shell(self, tmp_path: Path) -> None:
        words = self.written(tmp_path, self.HEAD + "grids: [\"model=lr +fs.data.args='[{resize: 16}]'\"]")
        assert cell_of(*words).axes["data"] == "digits_16px"

    @pytest.mark.pipeline
    @pytest.mark.parametrize(
        ("grids", "words"),
        [
            ("grids: model=lr", ["sweeps=union: grids: must be a list of strings"]),
            ("grids: []", ["must be a list of strings"]),
            ("grids: [{model: lr}]", ["must be a list of strings"]),
            ("grids: ['model=lr clinets=3']", ["there is no clinets", "did you mean clients"]),
            ("grids: ['model=lr', 'model=lrr']", ["no such model", "lr"]),
            ("grids: ['model=lr clients']", ["grids: clients: is no override"]),
            ('grids: ["model=\'lr"]', ["sweeps=union: grids: ", "No closing quotation"]),
            ("grids: ['clients=3 clients_per_round=-1,3']", ["are the same cell"]),
            ("hydra: {sweper: {params: {seed: '1,2'}}}", ["sweeps/union", "ConfigKeyError"]),
            ("grids: ['store=elsewhere']", ["store=elsewhere: holds for all cells"]),
            ("grids: ['model=lr', 'table.digits=2']", ["table.digits=2: holds for all cells"]),
            ("grids: ['network.uplink_mbps=2']", ["network.uplink_mbps=2: holds for all cells"]),
            ("grids: ['retries=2']", ["retries=2: holds for all cells"]),
            ("grids: ['hydra/launcher=local']", ["hydra/launcher=local: holds for all cells"]),
            ("grids: ['model=lr', 'model=lr engine.threads=2']", ["are the same cell"]),
            ("grids: ['sweeps=quickstart']", ["sweeps=quickstart: holds for all cells"]),
            ("grids: ['seed=1']\nhydra: {sweeper: {params: {seed: '1,2'}}}", ["both grids and hydra.sweeper.params"]),
        ],
    )
    def test_a_bad_file_is_told_in_words(self, tmp_path: Path, grids: str, words: list[str]) -> None:
        message = refusal(*self.written(tmp_path, self.HEAD + grids))
        for word in words:
            assert word in message


class TestFsConfig:
    """A FederatedScope YAML is the base; only what the command line names is laid over it."""

    FILE = {
        "seed": 7,
        "outdir": "exp",
        "federate": {"client_num": 10, "total_round_num": 4, "sample_client_num": 3},
        "data": {"type": "digits_flat", "splitter": "lda", "splitter_args": [{"alpha": 0.5}]},
        "model": {"type": "mlp", "hidden": 16, "out_channels": 10},
        "criterion": {"type": "CrossEntropyLoss"},
        "fedprox": {"use": True, "mu": 0.3},
        "train": {"optimizer": {"lr": 0.7, "momentum": 0.9}},
    }

    @pytest.fixture
    def file(self, tmp_path: Path) -> str:
        path = tmp_path / "fs.yaml"
        path.write_text(yaml.safe_dump(self.FILE))
        return f"fs_config={path}"

    def test_our_defaults_do_not_override_it(self, file: str) -> None:
        cell = cell_of(file)
        labels = {"method": "fedprox", "model": "mlp_s", "data": "digits_a0.5"}
        assert cell.axes == labels | {"clients": 10, "rounds": 4, "seed": 7}
        assert cell.get("train.optimizer") == {"lr": 0.7, "momentum": 0.9}
        assert cell.get("early_stop.patience") is None  # FederatedScope's own default stays
        assert cell.get("outdir") is None

    def test_what_the_command_line_names_does(self, file: str) -> None:
        cell = cell_of(file, "clients=5", "model=convnet2", "lr=0.2", "fs.fedprox.mu=0.9")
        assert cell.axes["clients"] == 5
        assert cell.axes["model"] == "convnet2"
        assert cell.get("data.type") == "digits"  # the model names the form of its digits
        assert cell.get("train.optimizer") == {"lr": 0.2, "momentum": 0.9}
        assert cell.get("fedprox.mu") == 0.9
        assert cell.axes["rounds"] == 4

    def test_a_model_names_the_form_of_digits_and_of_no_other_data(self) -> None:
        cell = cell_of(f"fs_config={DATA / 'fs_config.yaml'}", "model=convnet5")
        assert cell.axes["data"] == "toy"
        assert cell.get("data.args") is None

    def test_a_model_brings_the_size_of_images_where_the_file_has_none(self, file: str, tmp_path: Path) -> None:
        assert cell_of(file, "model=convnet5").get("data.args") == [{"resize": 32}]
        assert cell_of(file, "model=convnet5").axes["data"] == "digits_32px_a0.5"
        sized = tmp_path / "sized.yaml"
        sized.write_text(yaml.safe_dump(self.FILE | {"data": {"type": "digits_flat", "args": [{"resize": 64}]}}))
        for words, size in ((["model=convnet5"], 64), (["model=mlp_m"], 64), (["model=convnet5", "resize=40"], 40)):
            assert cell_of(f"fs_config={sized}", *words).get("data.args") == [{"resize": size}]

    def test_a_sweep_file_names_what_it_sets(self, file: str, tmp_path: Path) -> None:
        (tmp_path / "sweeps").mkdir()
        (tmp_path / "sweeps" / "long.yaml").write_text(
            '# @package _global_\nrounds: 9\nhydra: {sweeper: {params: {seed: "1,2"}}}\n'
        )
        cells = cells_of(file, "sweeps=long", f"config_dir={tmp_path}")
        assert [(c.axes["rounds"], c.axes["seed"], c.axes["clients"]) for c in cells] == [(9, 1, 10), (9, 2, 10)]

    def test_a_number_that_yaml_takes_for_text(self, tmp_path: Path) -> None:
        path = tmp_path / "fs.yaml"
        path.write_text((DATA / "fs_config.yaml").read_text().replace("lr: 0.001", "lr: 1e-3"))
        assert cell_of(f"fs_config={path}").id == cell_of(f"fs_config={DATA / 'fs_config.yaml'}").id

    def test_naming_our_default_counts_as_naming(self, file: str) -> None:
        assert cell_of(file, "clients=3").axes["clients"] == 3
        assert cell_of(file, "alpha=null").axes["data"] == "digits"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("a: [", ["fs_config=", "no YAML"]),
            ("- 1", ["fs_config=", "no FederatedScope configuration"]),
            ("federate: {cleint_num: 3}", ["fs_config=", "did you mean federate.client_num"]),
            ("federate: {client_num: many}", ["fs_config=", "expected int"]),
        ],
    )
    def test_a_bad_file_is_named(self, tmp_path: Path, text: str, words: list[str]) -> None:
        path = tmp_path / "bad.yaml"
        path.write_text(text)
        message = refusal(f"fs_config={path}")
        for word in words:
            assert word in message

    def test_the_configuration_federatedscope_dumped_is_the_cell_that_was_asked_for(self) -> None:
        """Two files of one real run: what it was given, and the config.yaml it wrote with every default filled in."""
        asked, dumped = (cell_of(f"fs_config={DATA / name}") for name in ("fs_config.yaml", "fs_effective_config.yaml"))
        assert dumped.fs == asked.fs
        assert dumped.axes["method"] == "fedprox"

    def test_a_missing_file_is_named(self) -> None:
        assert "fs_config=nowhere.yaml: cannot be read" in refusal("fs_config=nowhere.yaml")


def test_a_rate_of_1_is_no_sampling_but_for_bulyan_which_computes_with_it() -> None:
    assert cell_of("fs.federate.sample_client_rate=1.0").id == cell_of().id
    bulyan = cell_of("fs.aggregator.robust_rule=bulyan", "fs.federate.sample_client_rate=1.0")
    assert bulyan.get("federate.sample_client_rate") == 1.0


def test_all_clients_per_round_is_no_sampling_but_with_unseen_ones() -> None:
    assert cell_of("clients_per_round=3").id == cell_of().id
    assert cell_of("clients_per_round=3", "fs.federate.unseen_clients_rate=0.4").get("federate.sample_client_num") == 3


def test_a_command_for_one_cell_names_the_layout_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("columns: [total]\n")
    words = [f"table={tmp_path}/mine.yaml", "engine=estimate", "method=fedavg,fedprox"]
    assert all(f"table={tmp_path}/mine.yaml" in one.command.split() for one in plan(words, identify).cells)


def test_values_of_the_environment_are_told_where_the_store_keeps_them(
    here: Path, fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "7")
    base = ("engine=estimate", "model=lr", "clients=2")
    told = fscost("plan", *base, "fs.wandb.name_user=${oc.env:SECRET}", "out=${oc.env:SECRET}", "fs.outdir=${out}/x")
    lines = [line.partition(":")[0] for line in told.err.splitlines()]
    assert (told.code, lines) == (0, ["warning"] * 2)
    assert "fs.wandb.name_user: its value is of the environment" in told.err
    assert "fs.outdir: its value is of the environment" in told.err
    command = ("engine=command", "engine.command=python x.py {args.a} ${oc.env:SECRET}", "args.a=${oc.env:SECRET}")
    told = fscost("plan", *command)
    assert [line.split()[1] for line in told.err.splitlines()] == ["args.a:", "engine.command:"]
    assert fscost("plan", *base, "store=${oc.env:SECRET}", "out=${oc.env:SECRET}").err == ""


def test_the_store_remembers_a_sweep_as_it_was_typed(
    here: Path, fscost: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "s3cr3t")
    words = ("engine=estimate", "model=lr", "clients=2", "rounds=1", "store=runs_of_${oc.env:SECRET}")
    assert fscost(*words, "table.title=${oc.env:SECRET}", "out=${oc.env:SECRET,out}").code == 0
    written = [path for path in here.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]
    assert written == []
