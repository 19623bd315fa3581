"""Composing as plain dicts gives what ``hydra.compose`` gives: of every option file, of combinations, of one's own."""

import shutil
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fscost import resources
from fscost.errors import ConfigError
from fscost.plan.cell_from import resolvers
from fscost.plan.hydra_config import config_of, configuration, group_options, parse
from fscost.plan.plain_config import resolved
from fscost.resources import conf
from tests.plan.hydra_itself import composed_by_hydra, started
from tests.plan.test_launcher import PLUGINS, is_there

GROUPS = ("method", "model", "adapter", "data", "engine", "table", "sweeps")
LAUNCHERS = ["local", *(name for name in PLUGINS if is_there(name))]


OWN = """
method/gentle.yaml: {defaults: [fedprox, _self_], lr: 0.01, fs: {fedprox: {mu: 0.5}}}
method/last.yaml: {defaults: [_self_, fedprox], fs: {fedprox: {mu: 0.5}}}
model/big.yaml: {defaults: [mlp_l], engine: {memory_gb: 16}, fs: {model: {hidden: 300}}}
data/half.yaml: {defaults: [digits], alpha: 0.5, fs: {data: {splits: [0.5, 0.3, 0.2]}}}
sweeps/long.yaml:
  defaults: [override /model: big, override /table: matrix]
  rounds: ${clients}
  new: {a: [1, {b: "${rounds}"}], c: null}
  hydra: {sweeper: {params: {seed: "1,2"}}}
sweeps/placed.yaml:
  defaults: [/table/shared/labels@labels, override /hydra/launcher: local]
  hydra: {launcher: {n_jobs: 2}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Options of one's own, in the ways that Hydra has to write them."""
    texts = {name: f"# @package _global_\n{yaml.safe_dump(content)}" for name, content in yaml.safe_load(OWN).items()}
    texts["method/deep.yaml"] = "# @package fs.train\noptimizer: {momentum: 0.9}\n"
    texts["table/mine.yaml"] = "defaults: [shared/layout@_here_, shared/labels@_here_, _self_]\nrows: [model]\n"
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def both(folder: Path) -> Iterator[str]:
    """Hydra itself and ours, with the same folder; as what Hydra has to be told."""
    with configuration(folder, resolvers=resolvers()), started():
        yield f"hydra.searchpath=[file://{folder}]"


def fs_of(config: Any) -> Any:
    """The options of FederatedScope, or that there are none."""
    try:
        return (
            OmegaConf.to_container(config.fs, resolve=True) if OmegaConf.is_config(config) else resolved(config, "fs")
        )
    except OmegaConfBaseException as error:
        return type(error), str(error)


def check(searchpath: str, choices: tuple[str, ...], values: tuple[str, ...] = ()) -> None:
    """Compare everything that cells are made from; a value that is new is appended, as ours are without asking."""
    by_hydra = composed_by_hydra(searchpath, *choices, *(f"++{value}" for value in values))
    expected: Any = OmegaConf.to_container(by_hydra)
    found = config_of(parse([*choices, *values]))
    theirs, ours = expected.pop("hydra"), {**found}.pop("hydra")
    assert {key: value for key, value in found.items() if key != "hydra"} == expected
    assert ours["launcher"] == theirs["launcher"]
    assert ours["sweeper"]["params"] == theirs["sweeper"]["params"]
    assert ours["runtime"]["choices"] == theirs["runtime"]["choices"]
    assert fs_of(found) == fs_of(by_hydra)


def combinations(count: int) -> Iterator[tuple[str, ...]]:
    """Choices of every group; each option is in one of them as soon as there are as many as the largest group has."""
    options = {group: group_options(group) for group in GROUPS} | {"hydra/launcher": LAUNCHERS}
    for chosen in islice(zip(*map(cycle, options.values()), strict=True), count):
        words = tuple(f"{group}={option}" for group, option in zip(options, chosen, strict=True))
        if "sweeps=placed" not in words or "hydra/launcher=local" in words:  # it sets an option of that launcher
            yield words


def largest() -> int:
    return max(len(group_options(group)) for group in GROUPS)


@pytest.mark.pipeline
def test_every_option_of_every_group(both: str) -> None:
    for choices in combinations(largest()):
        check(both, choices)


@pytest.mark.slow
def test_combinations_of_options(both: str) -> None:
    for choices in islice(combinations(96), largest(), None):
        check(both, choices)


@pytest.mark.pipeline
def test_the_defaults_and_each_group_alone(both: str) -> None:
    check(both, ())
    for choices in combinations(2):
        for choice in choices:
            check(both, (choice,))


@pytest.mark.parametrize(
    "choices",
    [
        ("method=gentle",), ("method=last",), ("method=deep",), ("model=big", "method=deep"),
        ("data=half", "model=big"), ("table=mine",), ("sweeps=long",), ("sweeps=long", "model=lr", "table=mine"),
        ("sweeps=placed",), ("sweeps=placed", "method=gentle", "data=half"),
    ],
)  # fmt: skip
def test_options_of_ones_own(both: str, choices: tuple[str, ...]) -> None:
    check(both, choices)


@pytest.mark.parametrize(
    "values",
    [
        ("clients=7", "lr=1e-3", "seed=3"),
        ("fs.train.optimizer.momentum=0.9", "fs.train.optimizer={weight_decay: 0.1}"),
        ("fs.data.args=[{resize: 8}]", "fs.eval.metrics=[acc,'correct']"),
        ("alpha=null", "fs.new.section.option=x"),
        ("table.rows=[model,clients]", "table.precision=2", "network.uplink_mbps=10"),
        ("rounds=${clients}", "out='a b'", 'store="${oc.env:HOME}"'),
        ("fs.model.hidden=true", "fs.outdir=''", "fs.a={b: {c: null}}"),
        ("engine.threads=2", "hydra.launcher.n_jobs=${engine.threads}"),
    ],
)
def test_values_are_laid_over_what_was_chosen(both: str, values: tuple[str, ...]) -> None:
    check(both, (), values)


@pytest.mark.parametrize(
    ("text", "choice", "words"),
    [
        ("defaults: [nowhere]", "method=own", "nowhere"),
        ("defaults: [{/data/part: '???'}]", "method=own", "You must specify 'data/part"),
        ("lr: 1", "model=nowhere", "nowhere"),
    ],
)
def test_what_hydra_cannot_compose_we_cannot_either(folder: Path, text: str, choice: str, words: str) -> None:
    for name in ("method/own.yaml", "data/part/half.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    with configuration(folder, resolvers=resolvers()), started():
        with pytest.raises((ConfigError, HydraException, ValueError), match=words):
            config_of(parse([choice]))
        with pytest.raises((HydraException, ValueError)):
            composed_by_hydra(f"hydra.searchpath=[file://{folder}]", choice)


@pytest.mark.parametrize("name", ["splitter_for", "fscost.splitter_for"])
def test_resolvers_have_their_short_names_in_options_of_ones_own(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "own.yaml").write_text(
        f"# @package _global_\nalpha: null\nfs: {{data: {{splitter: '${{{name}:${{alpha}}}}'}}}}\n"
    )
    with configuration(tmp_path, resolvers=resolvers()):
        assert resolved(config_of(parse(["data=own", "alpha=0.5"])), "fs.data.splitter") == "lda"


def test_there_must_be_such_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"), configuration(tmp_path / "nowhere"):
        pass


@pytest.mark.parametrize("line", ["clients=7", "rounds=0", "clients=10000", "seed=999999999999999", "fs.eval.freq=3"])
def test_a_whole_number_is_what_hydra_reads_in_it(line: str) -> None:
    """Numbers of one key are parsed once; each override is as if it had been parsed itself."""
    with configuration(None):
        (quick,) = parse([line])
        read = OverridesParser.create().parse_override(line)
    assert (quick.key_or_group, quick.value(), quick.input_line) == (read.key_or_group, read.value(), line)
    assert (quick.type, quick.value_type, type(quick.value())) == (read.type, read.value_type, int)


@pytest.mark.parametrize("line", ["clients=007", "clients=1_000", "clients=-3", "clients=7.0"])
def test_what_only_looks_like_a_whole_number_is_read_in_full(line: str) -> None:
    with configuration(None):
        (override,) = parse([line])
        read = OverridesParser.create().parse_override(line)
    assert (override.value(), type(override.value())) == (read.value(), type(read.value()))


def test_a_number_where_text_is_meant_stays_text() -> None:
    with configuration(None):
        (override,) = parse(["table.title=7"])
    assert str(override.value()) == "7" and type(override.value()) is not int


def test_a_shipped_option_that_changed_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(conf(), tmp_path / "conf")
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    option = tmp_path / "conf" / "method" / "mine.yaml"
    for defaults, expected in (("fedprox", 0.1), ("fedprox", 0.1), ("ditto", None)):
        option.write_text(f"# @package _global_\ndefaults: [{defaults}]\n")
        with configuration(None):
            fs = config_of(parse(["method=mine"]))["fs"]
        assert fs.get("fedprox", {}).get("mu") == expected
        assert ("ditto" in str(fs["federate"]["method"]).lower()) is (defaults == "ditto")


@pytest.mark.parametrize("written, meant", [("1e-3", 0.001), ("012", 10), ("1_0", 10), ("2026-11-29", "2026-11-29")])
def test_a_shipped_option_says_what_omegaconf_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, meant: Any
) -> None:
    shutil.copytree(conf(), tmp_path / "conf")
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    option = tmp_path / "conf" / "method" / "mine.yaml"
    option.write_text(f"# @package _global_\ndefaults: [fedprox, _self_]\nfs: {{fedprox: {{mu: {written}}}}}\n")
    with configuration(None):
        assert config_of(parse(["method=mine"]))["fs"]["fedprox"]["mu"] == meant == OmegaConf.load(option).fs.fedprox.mu
    option.write_text("# @package _global_\ndefaults: [fedprox]\nlr: 1\nlr: 2\n")
    with configuration(None), pytest.raises(yaml.YAMLError, match="duplicate key lr"):
        config_of(parse(["method=mine"]))
