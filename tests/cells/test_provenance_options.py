"""Where a run happens, reads and writes is no factor: seeds are seeds wherever they ran."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fscost.cells.cell import Cell
from fscost.cells.outcome import Status
from fscost.cells.provenance_options import is_host, is_provenance, is_read
from fscost.protocol import fs_options
from fscost.store.store import Store, _by_id
from tests.cells.test_cell import cell
from tests.conftest import DATA, Result, resealed
from tests.store.test_rundir import run
from tests.tables.recorded import rows_of

HOST = """device use_gpu outdir expname federate.save_to federate.save_freq dataloader.num_workers data.num_workers
federate.process_num wandb.use wandb.name_user llm.cache.model data.cache_dir eval_device distribute.server_port verbose
print_decimal_digits train.data_para_dids trainer.log_dir output_dir logging.log_interval server.checkpoint_save
ckpt.save_path federate.save_client_model gpu_ids data.output_folder train.gpu_id workdir
machine.workdir trainer.logdir test.temp_dir ggeur.feature_cache_dir distributed.device_ids"""
READ = """data.root federate.restore_from data.file_path attack.trigger_path llm.offsite_tuning.emu_align.restore_from
federate.atc_load_from model.pretrained_dir data.index_folder
data.dir.imdb paths.glue ggeur.clip_model_path data.datadir federate.load_from"""
FACTORS = """seed model.type data.type train.optimizer.lr hpo.log_scale eval.monitoring federate.share_local_model
data.loader model.use_cache train.is_enable_half llm.tok_len federate.my_switch personalization.local_param
trainer.local_entropy.alpha model.gpus_are_a_word federate.rootless trainer.log_softmax data.splitter backend
attack.attack_method model.logits fedcache.cache_size
llm.rlhf_selector_checkpoint ggeur.clip_model model.bidir glue.adapter.max_rank model.rooted direct.use"""


@pytest.mark.parametrize("name", HOST.split())
def test_where_a_run_happens_and_writes(name: str) -> None:
    assert is_host(name)
    assert is_provenance(name)
    assert not is_read(name)


@pytest.mark.parametrize("name", READ.split())
def test_where_a_run_reads(name: str) -> None:
    assert is_read(name)
    assert is_provenance(name)
    assert not is_host(name)


@pytest.mark.parametrize("name", FACTORS.split())
def test_anything_else_is_a_factor(name: str) -> None:
    assert not is_provenance(name)


def test_most_options_of_federatedscope_are_factors() -> None:
    told = {name for name in fs_options.options() if is_provenance(name)}
    assert fs_options.IRRELEVANT - {"cfg_file"} <= told
    assert len(told) == 49


def test_an_id_knows_no_host_but_what_is_read() -> None:
    there = cell(device=1, use_gpu=True, federate__save_to="m.ckpt", wandb__use=True, dataloader__num_workers=4)
    assert there.id == cell().id
    assert there.former_id != there.id
    assert cell().former_id == cell().id
    assert there.get("federate.save_to") == "m.ckpt"
    assert cell(data__root="/mnt/data").id != cell().id
    assert cell(optimizer={}).id != cell().id  # nobody's section, empty as it is written


def as_before(store: Store, one: Cell, name: str = "") -> Path:
    """Write the run of a cell as fscost did when all options were part of the id, and names were others."""
    path = run(Store(store.path), one, Status.DONE, log="old").path
    file = path / "cell.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"id": one.former_id}))
    resealed(path)
    return path.rename(store.path / f"{name or one.name.rpartition('-')[0]}-{one.former_id}")


@pytest.mark.parametrize("name", ["", "online-bert_h256-toy-c3-s0"])
def test_a_run_of_before_is_found_and_read(tmp_path: Path, name: str) -> None:
    store, one = Store(tmp_path / "runs"), cell(device=0)
    old = as_before(store, one, name)
    assert store.status(one) is Status.DONE
    assert store.of(one).path == old
    assert store.of(one).read_cell() == one
    assert store.status(cell(device=0, seed=1)) is Status.MISSING
    assert store.status(cell()) is Status.MISSING


def test_a_new_result_takes_the_place_of_one_of_before(tmp_path: Path) -> None:
    store, one = Store(tmp_path / "runs"), cell(device=0)
    old = as_before(store, one)
    assert run(store, one, Status.FAILED, log="new").path.name == f"{one.name}.failed"
    assert store.of(one).engine_log.read_text() == "old"
    run(store, one, Status.DONE, log="new")
    assert store.of(one).engine_log.read_text() == "new"
    assert not old.exists()
    assert sorted(path.name for path in store.path.glob("fedavg*")) == [one.name, f"{one.name}.failed"]


def test_a_store_is_listed_once_for_all_cells_that_are_missing(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    as_before(store, cell(device=0))
    before = _by_id.cache_info().misses
    for seed in range(1, 200):
        assert not store.of(cell(seed=seed)).path.exists()
    assert _by_id.cache_info().misses == before + 1


def test_a_sweep_of_before_computes_nothing_again(here: Path, fscost: Callable[..., Result]) -> None:
    words = ["engine=estimate", "model=lr", "rounds=2"]
    assert fscost("-m", *words, "fs.federate.save_to=a.pt", "seed=0,1").code == 0
    runs = sorted((here / "runs").glob("*-s*"))
    for path in runs:
        content = json.loads((path / "cell.json").read_text())
        one = Cell(engine=content["engine"], protocol=content["protocol"], fs=content["fs"])
        (path / "cell.json").write_text(json.dumps(content | {"id": one.former_id}))
        resealed(path)
        path.rename(path.with_name(f"sharelocal-lr_h256-digits-c3-s{one.axes['seed']}-{one.former_id}"))
    before = {path.name: (path / "outcome.json").stat().st_mtime_ns for path in (here / "runs").glob("*-s*")}
    again = fscost("-m", *words, "fs.federate.save_to=a.pt", "seed=0,1")
    assert "2 done, 0 to run" in again.err
    assert {path.name: (path / "outcome.json").stat().st_mtime_ns for path in (here / "runs").glob("*-s*")} == before
    assert fscost("rerun", str(here / "runs")).code == 0
    assert sorted(path.name for path in (here / "runs").glob("*-s*")) == [path.name for path in runs]


CASES = DATA / "cases"


def test_seeds_of_two_devices_are_one_row(here: Path, fscost: Callable[..., Result]) -> None:
    shutil.copytree(CASES / "two_devices", here / "two")
    shown = fscost("table", "two", "table=accuracy_cost")
    assert shown.code == 0
    assert "62.0 ± 2.8" in shown.out
    assert "over n = 2 seeds" in shown.out
    assert "evice" not in shown.out
    (row,) = rows_of(fscost("table", "two", "table=accuracy_cost", "--format", "csv").out)
    assert row["seeds"] == "2"


@pytest.mark.parametrize(
    "line", ["use_gpu: true", "outdir: /x", "eval_device: 3", "wandb: {use: true, name_user: me}", "my_log_dir: b"]
)
def test_whatever_says_where_is_no_column(here: Path, fscost: Callable[..., Result], line: str) -> None:
    shutil.copytree(CASES / "two_devices", here / "two")
    with (here / "two" / "run_seed2" / "config.yaml").open("a") as file:
        file.write(f"{line}\n")
    rows = rows_of(fscost("table", "two", "table=accuracy_cost", "--format", "csv").out)
    assert [row["seeds"] for row in rows] == ["2"]
    assert not {"use_gpu", "device", "outdir"} & rows[0].keys()
