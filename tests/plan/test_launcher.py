"""How and where cells are to be run: resources and options are each cell's own, the launcher is the sweep's."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from fscost.engine import EngineSettings, identify
from fscost.errors import ConfigError
from fscost.plan import Plan, plan
from tests.conftest import Result, in_process

PLUGINS = {"slurm": "hydra-submitit-launcher", "ray": "hydra-ray-launcher"}


def is_there(launcher: str) -> bool:
    plugin = PLUGINS[launcher].replace("-", "_")
    return find_spec("hydra_plugins") is not None and find_spec(f"hydra_plugins.{plugin}") is not None


needs_slurm = pytest.mark.skipif(not is_there("slurm"), reason="no submitit: pip install 'fscost[slurm]'")
needs_ray = pytest.mark.skipif(not is_there("ray"), reason="no Ray: pip install 'fscost[ray]'")


def made(*overrides: str) -> Plan:
    return plan(overrides, identify)


def refusal(*overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        made(*overrides)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.fixture
def options(tmp_path: Path) -> str:
    """A folder with a model that needs more than others, as an override."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "big.yaml").write_text(
        "# @package _global_\ndefaults: [mlp_l]\nengine: {memory_gb: 16, threads: 4}\nfs: {model: {hidden: 300}}\n"
    )
    return f"config_dir={tmp_path}"


def sweep(options: str, text: str) -> tuple[str, str]:
    """A sweep file beside those options, as overrides."""
    folder = Path(options.split("=")[1]) / "sweeps"
    folder.mkdir(exist_ok=True)
    (folder / "own.yaml").write_text(f"# @package _global_\n{text}")
    return options, "sweeps=own"


class TestResources:
    """The section ``engine`` of each cell."""

    def test_they_are_no_part_of_a_cell(self) -> None:
        (plain,), (other,) = (
            made().cells,
            made("engine.threads=2", "engine.memory_gb=0.5", "engine.timeout_min=3").cells,
        )
        assert other.cell == plain.cell
        assert EngineSettings.from_config(plain.engine) == EngineSettings()
        assert EngineSettings.from_config(other.engine) == EngineSettings(threads=2, memory_gb=0.5, timeout_min=3)
        assert "are the same cell" in refusal("engine.threads=1,2")

    @pytest.mark.pipeline
    def test_an_option_brings_its_own_and_what_is_named_wins(self, options: str) -> None:
        found = made(options, "model=lr,big")
        assert [(p.engine["threads"], p.engine["memory_gb"]) for p in found.cells] == [(1, None), (4, 16)]
        assert found.engine == found.cells[0].engine
        assert made(options, "model=big", "engine.memory_gb=null").engine["memory_gb"] is None
        assert made(*sweep(options, "engine: {threads: 2}"), "model=big").engine["threads"] == 2

    def test_grids_of_a_union_have_their_own(self, options: str) -> None:
        words = sweep(options, "grids: ['model=lr', 'model=mlp_m engine.timeout_min=9 hydra.launcher.n_jobs=1']")
        found = made(*words).cells
        assert [p.engine["timeout_min"] for p in found] == [None, 9]
        assert [p.launcher["n_jobs"] for p in found] == [None, 1]

    @pytest.mark.parametrize(
        ("override", "message"),
        [
            ("engine.threads=0", "engine.threads=0: must be a whole number of at least 1"),
            ("engine.threads=1.5", "engine.threads=1.5: must be a whole number of at least 1"),
            ("engine.threads=true", "engine.threads=True: must be a whole number of at least 1"),
            ("engine.memory_gb=0", "engine.memory_gb=0: must be a number of GB above 0, or null for no limit"),
            ("engine.memory_gb=inf", "engine.memory_gb=inf: must be a number of GB above 0, or null for no limit"),
            ("engine.memory_gb=8GB", "engine.memory_gb=8GB: must be a number of GB above 0, or null for no limit"),
            ("engine.timeout_min=nan", "engine.timeout_min=nan: must be a number of minutes above 0, or null for no "
             "limit"),
        ],
    )  # fmt: skip
    def test_what_they_cannot_be_is_refused(self, override: str, message: str) -> None:
        assert refusal(override) == message


@pytest.mark.pipeline
def test_a_sweep_says_how_often_to_try_and_when_to_stop(options: str) -> None:
    assert (made().retries, made().fail_fast) == (0, False)
    found = made(*sweep(options, "retries: 2\nfail_fast: true"), "retries=3")
    assert (found.retries, found.fail_fast) == (3, True)


class TestLauncher:
    """``hydra/launcher`` and its options."""

    def test_cells_run_on_this_machine_unless_somebody_says(self) -> None:
        assert made().launcher == {"name": "local", "n_jobs": None, "gpus": None}
        found = made("hydra/launcher=local", "hydra.launcher.n_jobs=2", "hydra.launcher.gpus=[0,1]", "seed=0,1")
        assert [p.launcher for p in found.cells] == [{"name": "local", "n_jobs": 2, "gpus": [0, 1]}] * 2

    def test_options_are_resolved_for_each_cell(self, options: str) -> None:
        found = made(options, "model=lr,big", "hydra.launcher.n_jobs=${engine.threads}").cells
        assert [p.launcher["n_jobs"] for p in found] == [1, 4]

    def test_every_cell_knows_where_it_was_to_be_run(self) -> None:
        assert "hydra.launcher.n_jobs=2" in made("hydra.launcher.n_jobs=2").cells[0].command

    @pytest.mark.parametrize(
        ("override", "words"),
        [
            *((f"hydra/launcher={name}", ["no such launcher", "there are local, slurm, ray"])
              for name in ("joblib", "basic", "submitit_local", "submitit_slurm")),
            ("hydra/launcher=slrum", ["no such launcher (did you mean slurm?)"]),
            ("hydra/launcher=null", ["needs a value"]),
            ("launcher=slurm", ["there is no launcher (did you mean hydra/launcher?)"]),
            ("hydra.launcher=slurm", ["hydra/launcher=NAME and hydra.launcher.KEY=VALUE"]),
            ("hydra/launcher=local,slurm", ["is no axis of a grid"]),
            ("hydra.launcher.n_jobs=1,2", ["is no axis of a grid"]),
            ("hydra.launcher.n_job=2", ["hydra/launcher=local has no such option (did you mean n_jobs?)"]),
            ("hydra.launcher.n_jobs=0", ["hydra.launcher.n_jobs=0: must be a whole number of at least 1"]),
            ("hydra.launcher.gpus=2", ["hydra.launcher.gpus=2: must be a list of devices, as [0,1]"]),
            ("hydra.launcher.n_jobs=${nope}", ["Interpolation key 'nope' not found"]),
        ],
    )  # fmt: skip
    def test_what_there_is_not_is_refused(self, override: str, words: list[str]) -> None:
        for word in words:
            assert word in refusal(override)

    @pytest.mark.parametrize(
        ("file", "words"),
        [
            ("defaults: [override /hydra/launcher: joblib]", ["hydra/launcher=joblib: no such launcher"]),
            ("defaults: [override /hydra/launcher: basic]", ["hydra/launcher=basic: no such launcher"]),
            ("hydra: {launcher: {n_job: 2}}", ["hydra.launcher.n_job:", "did you mean n_jobs"]),
            ("hydra: {launcher: {n_jobs: many}}", ["hydra.launcher.n_jobs=many: must be a whole number"]),
            ("hydra: {sweeper: {params: {hydra.launcher.n_jobs: '1,2'}}}", ["is no axis of a grid"]),
        ],
    )
    def test_so_it_is_in_a_sweep_file(self, options: str, file: str, words: list[str]) -> None:
        message = refusal(*sweep(options, file))
        for word in words:
            assert word in message

    @pytest.mark.pipeline
    def test_a_sweep_file_sets_options_and_what_is_named_wins(self, options: str) -> None:
        words = sweep(options, "defaults: [override /hydra/launcher: local]\nhydra: {launcher: {n_jobs: 2}}")
        assert made(*words).launcher["n_jobs"] == 2
        assert made(*words, "hydra.launcher.n_jobs=3").launcher["n_jobs"] == 3

    @pytest.mark.pipeline
    @pytest.mark.parametrize("name", PLUGINS)
    def test_a_package_that_is_not_installed_is_named(self, options: str, name: str) -> None:
        if is_there(name):
            pytest.skip(f"{PLUGINS[name]} is installed")
        message = f"hydra/launcher={name}: {PLUGINS[name]} is not installed; pip install 'fscost[{name}]'"
        words = sweep(options, f"defaults: [override /hydra/launcher: {name}]")
        assert refusal(f"hydra/launcher={name}") == refusal(*words) == message
        assert made(*words, "hydra/launcher=local").launcher["name"] == "local"


@needs_slurm
class TestSlurm:
    """Options of hydra-submitit-launcher, with resources taken from the cell."""

    def test_a_job_has_the_resources_of_its_cell(self, options: str) -> None:
        found = made(options, "model=lr,big", "hydra/launcher=slurm", "store=here", "hydra.launcher.partition=long")
        small, large = (p.launcher for p in found.cells)
        assert (small["cpus_per_task"], large["cpus_per_task"]) == (1, 4)
        assert small == {**large, "cpus_per_task": 1}
        assert (large["mem_gb"], large["timeout_min"], large["partition"]) == (None, None, "long")
        assert (large["name"], large["job_name"]) == ("slurm", "fscost")
        assert large["submitit_folder"] == "here/.slurm/%j"

    @pytest.mark.pipeline
    def test_a_sweep_file_chooses_it_and_sets_its_options(self, options: str) -> None:
        file = "defaults: [override /hydra/launcher: slurm]\nhydra: {launcher: {qos: low, timeout_min: 9}}"
        found = made(*sweep(options, file), "model=lr,big", "hydra.launcher.name=mine").launcher
        assert (found["name"], found["qos"], found["timeout_min"], found["job_name"]) == ("slurm", "low", 9, "mine")

    def test_options_of_slurm_itself_are_open(self) -> None:
        found = made("hydra/launcher=slurm", "hydra.launcher.additional_parameters.mail-type=END").launcher
        assert found["additional_parameters"] == {"mail-type": "END"}

    @pytest.mark.parametrize(
        ("override", "words"),
        [
            ("hydra.launcher.partiton=x", ["hydra/launcher=slurm has no such option (did you mean partition"]),
            ("hydra.launcher.n_jobs=2", ["hydra/launcher=slurm has no such option"]),
            (
                "hydra.launcher.mem_gb=lots",
                ["hydra.launcher.mem_gb: Value 'lots'", "could not be converted to Integer"],
            ),
        ],
    )
    def test_what_it_does_not_take_is_refused(self, override: str, words: list[str]) -> None:
        message = refusal("hydra/launcher=slurm", override)
        for word in words:
            assert word in message

    def test_a_sweep_has_one_launcher(self, options: str) -> None:
        big = Path(options.split("=")[1]) / "model" / "big.yaml"
        big.write_text(big.read_text().replace("[mlp_l]", "[mlp_l, override /hydra/launcher: slurm]"))
        assert "hydra/launcher=local,slurm: a sweep has one launcher" in refusal(options, "model=lr,big")


@needs_ray
def test_options_of_ray_itself_are_open() -> None:
    found = made("hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2", "hydra.launcher.ray.remote.num_gpus=1")
    assert found.launcher == {
        "name": "ray",
        "ray": {"init": {"address": None, "num_cpus": 2}, "remote": {"num_gpus": 1}},
    }
    assert "did you mean ray.init" in refusal("hydra/launcher=ray", "hydra.launcher.ray.int.num_cpus=2")


@pytest.mark.pipeline
def test_hydras_own_flags_show_it(here: Path) -> None:
    assert "hydra/launcher=local, slurm or ray" in shown("--help", cwd=here).out
    assert "n_jobs: null" in shown("--cfg", "hydra", "-p", "hydra.launcher", cwd=here).out
    assert "threads: 1" in shown("--cfg", "job", cwd=here).out


def shown(*words: str, cwd: Path) -> Result:
    result = in_process(*words, cwd=cwd)
    assert result.code == 0
    return result
