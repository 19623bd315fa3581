"""FederatedScope's branch llm (FS-LLM) with adapters, in every interpreter named that has it; else skipped.

`test_branch_llm.py` says what ``golden_llm.json`` holds.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import chdir, closing
from pathlib import Path
from typing import Any

import pytest

from fscost.cells.outcome import Outcome, Status
from fscost.engine.federatedscope import FederatedScopeEngine, interpreter
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RunDir
from fscost.store.store import Store
from tests.conftest import DATA, cell_of, execute, in_process
from tests.engine.test_federatedscope import PYTHONS, WHY_NOT, at

pytestmark = pytest.mark.federatedscope

GOLDEN: dict[str, Any] = json.loads((DATA / "golden_llm.json").read_text())

ADDRESS_DIGITS_BYTES = 4
"""A pickled tensor holds its address as a decimal string, so its length differs by up to 4 B between runs."""

NO_FLOATS_BYTES = 6
"""A mean over no samples is 0, which is 3 B shorter than a float; there are two splits."""

DILLED = "emulator_and_adapter"
"""Its text is the dilled model, whose length depends on the versions of torch and transformers."""


@pytest.fixture(scope="module", params=PYTHONS or [pytest.param("", marks=pytest.mark.skip(WHY_NOT))])
def python(request: pytest.FixtureRequest) -> str:
    found = str(request.param)
    if not Path(interpreter(found).folder, "llm").is_dir():
        pytest.skip(f"{found} has a FederatedScope without llm")
    if subprocess.run([found, "-c", "import transformers, peft"], capture_output=True).returncode:
        pytest.skip(f"{found} has no transformers and peft")
    return found


@pytest.fixture(scope="module")
def there(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with models/ and data/, as the configurations name them; the working folder."""
    folder = tmp_path_factory.mktemp("there")
    subprocess.run([python, Path(__file__).with_name("tiny_llm.py"), folder], check=True, capture_output=True)
    with chdir(folder):
        yield folder


@pytest.fixture(scope="module")
def engine(python: str, there: Path) -> Iterator[FederatedScopeEngine]:
    """A warm engine that was made there: relative paths are from where it is made."""
    with closing(FederatedScopeEngine(python)) as made:
        yield made


def run_golden(case: str, python: str, engine: FederatedScopeEngine, tmp_path: Path) -> tuple[Outcome, RunDir]:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(GOLDEN[case]["config"]))
    return execute(cell_of(*at(python), f"fs_config={config}"), Store(tmp_path / "runs"), engine)


@pytest.mark.parametrize("case", sorted(GOLDEN))
def test_the_ledger_equals_the_recorded_one(
    case: str, python: str, engine: FederatedScopeEngine, there: Path, tmp_path: Path
) -> None:
    outcome, run = run_golden(case, python, engine, tmp_path)
    assert outcome.status is Status.DONE, outcome.reason
    found, expected = _by_type_and_link(run), dict(GOLDEN[case]["messages"])
    if f"{DILLED}/downlink" in expected:
        _same_but_for_its_length(found.pop(f"{DILLED}/downlink"), expected.pop(f"{DILLED}/downlink"))
    for column in ("messages", "payload_bytes"):
        assert {k: v[column] for k, v in found.items()} == {k: v[column] for k, v in expected.items()}
    for key, theirs in expected.items():
        assert found[key]["scalar_bytes"] == theirs.get("scalar_bytes", found[key]["scalar_bytes"]), key
        each = {"model_para": ADDRESS_DIGITS_BYTES * len(GOLDEN[case]["model"]), "metrics": NO_FLOATS_BYTES}
        slack = each.get(key.split("/")[0], 0) * theirs["messages"]
        assert _is_near(found[key]["wire_bytes"], theirs["wire_bytes"], slack), key


def _by_type_and_link(run: RunDir) -> dict[str, dict[str, int | None]]:
    found: dict[str, dict[str, int | None]] = {}
    for row in read_ledger(run.ledger).messages:
        sums = found.setdefault(f"{row['type']}/{row['link']}", {})
        for column in ("messages", "payload_bytes", "scalar_bytes", "wire_bytes"):
            value, so_far = row[column], sums.get(column, 0)
            sums[column] = None if value is None or so_far is None else so_far + value
    return found


def _same_but_for_its_length(found: dict[str, int | None], expected: dict[str, int]) -> None:
    assert [found["messages"], found["payload_bytes"]] == [expected["messages"], 0]
    assert found["scalar_bytes"] == pytest.approx(expected["scalar_bytes"], rel=0.2)


def _is_near(found: int | None, expected: int | None, slack: int) -> bool:
    if found is None or expected is None:
        return found is expected
    return abs(found - expected) <= slack


def test_an_emulator_in_a_text_is_told(python: str, engine: FederatedScopeEngine, there: Path, tmp_path: Path) -> None:
    outcome, _ = run_golden("offsite", python, engine, tmp_path)
    (told,) = [warning for warning in outcome.warnings if warning.startswith(DILLED)]
    assert "in 3 messages" in told and "payload leaves them out" in told


def test_what_travels_is_the_adapter(python: str, engine: FederatedScopeEngine, there: Path, tmp_path: Path) -> None:
    """The frozen base does not: 4 x (32 + 96) elements in each of two layers."""
    outcome, run = run_golden("lora_r4", python, engine, tmp_path)
    header = read_ledger(run.ledger).header
    assert (header["params"], header["trainable_bytes"], header["state_dict_bytes"]) == (1024, 4096, 4096)
    assert not outcome.warnings
    versions = outcome.provenance.versions if outcome.provenance else {}
    assert {"transformers", "peft"} <= versions.keys()


def test_a_checkpoint_is_written_below_the_run_and_read_from_where_it_is_named(
    python: str, engine: FederatedScopeEngine, there: Path, tmp_path: Path
) -> None:
    words = (*at(python), f"fs_config={_config(tmp_path, 'lora_r4')}")
    before = sorted(there.rglob("*"))
    outcome, run = execute(cell_of(*words, "fs.federate.save_to=saved.ckpt"), Store(tmp_path / "runs"), engine)
    assert outcome.status is Status.DONE, outcome.reason
    assert sorted(there.rglob("*")) == before
    (saved, *_) = sorted(run.path.rglob("*saved.ckpt"))
    shutil.copy(saved, there / "mine.ckpt")
    outcome, _ = execute(cell_of(*words, "fs.federate.restore_from=mine.ckpt"), Store(tmp_path / "runs"), engine)
    (there / "mine.ckpt").unlink()
    assert outcome.status is Status.DONE, outcome.reason


def _config(folder: Path, case: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(json.dumps(GOLDEN[case]["config"]))
    return file


def test_a_table_of_ranks_and_seeds(python: str, there: Path, tmp_path: Path) -> None:
    words = ("-m", *at(python), f"fs_config={_config(tmp_path, 'lora_r4')}", f"store={tmp_path / 'runs'}")
    done = in_process(*words, "adapter=lora", "lora_rank=4,8", "seed=0,1", "rounds=1", cwd=there)
    assert done.code == 0, done.err
    rows = [line.split() for line in done.out.splitlines() if line.startswith(("Model ", "GPT-2 "))]
    assert [row[:4] for row in rows] == [
        ["Model", "Params", "Clients", "Rank"],
        ["GPT-2", "1,024", "3", "4"],
        ["GPT-2", "2,048", "3", "8"],
    ]
    assert "Accuracy" not in rows[0]
