"""The builtin engine against ledgers recorded from real FederatedScope runs.

The files are compact copies: each case's own configuration, the model's state_dict (dtype, shape, trainable) and, per
message type and link, the number of messages and their bytes. `golden.json` holds FedAvg, FedProx and FedOpt in all
settings, `golden_models.json` larger models, `golden_methods.json` the other synchronous methods, `golden_asyn.json`
asynchronous courses. Cases ending in __v020py39 and __v030py39 ran on those releases, these and __py39 with another
torch, so their asizeof differs; everything else must be equal. The wire bytes of `golden_models.json` are lengths of
real protobuf messages and pickles. FederatedScope's own vgg11 fails on every image; its pooling was put right for the
recording, nothing else.

Of the asynchronous courses those with ``resource_info_file`` (clients of different speeds) are not here: their order
comes from a file of measured speeds that the builtin engine does not read. Nor are those that FederatedScope itself
does not finish.
"""

import json
from pathlib import Path

import pytest
import yaml

from fscost.cells.outcome import Status
from fscost.engine.builtin import BuiltinEngine
from fscost.store.ledger_file import read_ledger
from fscost.store.rundir import RunDir
from tests.conftest import DATA, cell_of

GOLDEN = {
    name: case
    for file in ("golden.json", "golden_models.json", "golden_methods.json", "golden_asyn.json")
    for name, case in json.loads((DATA / file).read_text()).items()
}

ADDRESS_DIGITS_BYTES = 4
"""A pickled tensor holds its address as a decimal string, so its length differs by up to 4 B between runs."""


@pytest.mark.pipeline
@pytest.mark.parametrize("case", sorted(GOLDEN))
def test_the_ledger_equals_the_recorded_one(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # one case saves its model into exp/
    golden = GOLDEN[case]
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(golden["config"]))
    cell = cell_of(f"fs_config={config}", f"engine.protocol={golden['protocol']}")
    BuiltinEngine().check(cell)
    run = RunDir(tmp_path / "run")
    run.write_cell(cell)
    outcome = BuiltinEngine().run(cell, run)
    assert outcome.status is Status.DONE, outcome.reason

    found = _by_type_and_link(read_ledger(run.ledger).messages)
    expected = golden["messages"]
    assert {k: v["messages"] for k, v in found.items()} == {k: v["messages"] for k, v in expected.items()}
    assert {k: v["payload_bytes"] for k, v in found.items()} == {k: v["payload_bytes"] for k, v in expected.items()}
    assert {k: v["scalar_bytes"] for k, v in found.items()} == {k: v["scalar_bytes"] for k, v in expected.items()}
    for key in expected:
        slack = ADDRESS_DIGITS_BYTES * _tensors(golden, key) * expected[key]["messages"]
        _same_or_both_unknown(found[key]["wire_bytes"], expected[key]["wire_bytes"], slack, key)


@pytest.mark.parametrize("case", sorted(GOLDEN))
def test_the_model_has_federatedscopes_state_dict(case: str, tmp_path: Path) -> None:
    from fscost.engine.builtin.client_data import load_federation
    from fscost.engine.builtin.modules import build_model
    from fscost.protocol.course_options import Options

    golden = GOLDEN[case]
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(golden["config"]))
    options = Options(cell_of(f"fs_config={config}"))
    model = build_model(options, load_federation(options).clients[1]["train"].x[0])
    trainable = {name for name, p in model.named_parameters() if p.requires_grad}
    found = {
        name: [str(value.dtype).removeprefix("torch."), list(value.shape), name in trainable]
        for name, value in model.state_dict().items()
    }
    assert list(found.items()) == list(golden["model"].items())


def _by_type_and_link(rows: list[dict[str, object]]) -> dict[str, dict[str, int | None]]:
    found: dict[str, dict[str, int | None]] = {}
    for row in rows:
        sums = found.setdefault(f"{row['type']}/{row['link']}", {})
        for key in ("messages", "payload_bytes", "scalar_bytes", "reported_bytes", "wire_bytes"):
            value, so_far = row[key], sums.get(key, 0)
            sums[key] = None if value is None or so_far is None else so_far + int(str(value))
    return found


def _tensors(golden: dict[str, object], key: str) -> int:
    pickled = golden["protocol"] == "master" and key.startswith("model_para/")
    return len(golden["model"]) if pickled else 0  # type: ignore[arg-type]


def _same_or_both_unknown(found: int | None, expected: int | None, slack: int, key: str) -> None:
    assert (found is None) == (expected is None), key
    if found is not None and expected is not None:
        assert abs(found - expected) <= slack, (key, found, expected)
