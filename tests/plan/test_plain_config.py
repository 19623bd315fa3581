"""Plain configurations are what OmegaConf makes of them, whichever of the two ways is taken."""

from collections.abc import Iterator
from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fscost.plan.hydra_config import configuration
from fscost.plan.plain_config import has, resolved, with_value


@pytest.fixture(scope="module", autouse=True)
def typed() -> Iterator[None]:
    """A resolver that tells the type of what it gets."""
    with configuration(None, resolvers={"typed": lambda value: f"{type(value).__name__} {value}"}):
        yield


KNOBS = {"n": 3, "m": 3.0, "text": "a b", "nothing": None, "again": "${n}", "deep": {"x": "${m}", "l": [1, "${n}"]}}


@pytest.mark.parametrize(
    "value",
    [
        1, None, "plain", "$n", [], {},
        "${n}", "${again}", "${deep.x}", "${deep}", ["${n}", {"a": "${text}"}], "${nothing}",
        "${typed:${n}}", "${typed:${m}}", "${typed:${text}}", "${typed:${nothing}}", "${typed:3}", "n is ${n}",
        "${typed:'${text}'}", "${oc.env:HOME}", "${oc.env:NOWHERE_AT_ALL,${n}}", "${typed:${deep.l}}",
        "${oc.select:n}", "${oc.select:none,5}", "${oc.dict.keys:deep}", "${oc.dict.values:deep}", "${typed:3} ${n}",
        "${oc.decode:'[${n}]'}", "${oc.create:{a: ${n}}}", "${oc.create:'[1, ${text}]'}", "${oc.select:fs.${key},${n}}",
        "${.sibling}", "${deep[x]}", "${deep.l[1]}", "${fs.sibling}", r"\${n}", "${deep.${key}}", "???",
    ],
)  # fmt: skip
def test_interpolations_are_resolved_as_omegaconf_does(value: Any) -> None:
    config = KNOBS | {"key": "x", "fs": {"sibling": "s", "value": value}}
    assert resolved(config, "fs") == OmegaConf.to_container(OmegaConf.create(config).fs, resolve=True)


@pytest.mark.parametrize(
    "value", ["${none}", "${n.x}", "${unknown:1}", "${typed:1,2}", "${n", "${fs.value}", "${unset}"]
)
def test_what_is_wrong_is_told_by_omegaconf(value: str) -> None:
    config = KNOBS | {"unset": "???", "fs": {"value": value}}
    with pytest.raises((OmegaConfBaseException, RecursionError)) as expected:
        OmegaConf.to_container(OmegaConf.create(config).fs, resolve=True)
    with pytest.raises(expected.type) as found:
        resolved(config, "fs")
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("a", 2),
        ("b.c", 2),
        ("b.new", {"x": 1}),
        ("b", {"d": {"f": 1}}),
        ("b", 3),
        ("a.x.y", 3),
        ("l", [4]),
        ("b.d", {}),
        ("b", {"c": None, "d": "???"}),
        ("b", {"new": "???"}),
    ],
)
def test_values_are_laid_over_as_omegaconf_does(key: str, value: Any) -> None:
    tree = {"a": 1, "b": {"c": 0, "d": {"e": 0}}, "l": [1, 2]}
    expected = OmegaConf.create(tree)
    OmegaConf.update(expected, key, value, force_add=True)
    assert with_value(tree, key, value) == expected
    assert tree == {"a": 1, "b": {"c": 0, "d": {"e": 0}}, "l": [1, 2]}


def test_keys_are_there_or_not() -> None:
    tree = {"a": {"b": None}}
    assert has(tree, "a")
    assert has(tree, "a.b")
    assert not has(tree, "a.c")
    assert not has(tree, "a.b.c")
