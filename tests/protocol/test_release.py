"""What is known of FederatedScope's releases stands in one module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import fscost
from fscost.protocol.release import NAMES, PROTOCOLS, RELEASES, Release, protocol_of, release_of, releases_of_dump

PACKAGE = Path(fscost.__file__).parent


def texts_of(path: Path) -> Iterator[str]:
    yield from (node.value for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str))  # fmt: skip


def test_no_other_module_names_a_release() -> None:
    names = {*NAMES, *(name.lstrip("v") for name in NAMES)}
    modules = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "protocol" / "release.py"]
    assert not {str(path) for path in modules if names.intersection(texts_of(path))}


FEATURES = ("pickles", "uploads_buffers", "first_evaluation_is_round_0", "adapts")


def features_of(release: Release) -> dict[str, bool]:
    return {name: getattr(release, name) for name in FEATURES}


def test_a_release_is_known_by_its_source() -> None:
    known = [(release, print_) for release in RELEASES for print_ in release.fingerprints]
    assert {release.protocol for release, _ in known} == {*PROTOCOLS}
    assert len({print_ for _, print_ in known}) == len(known)
    for release, print_ in known:
        assert protocol_of(print_, **features_of(release)) == release.protocol


def test_any_other_is_named_after_the_one_that_sends_as_it_does() -> None:
    for name in PROTOCOLS:
        found = protocol_of("0123abcd4567", **features_of(release_of(name)))
        assert found == f"{name}+0123abcd"
        assert features_of(release_of(found)) == features_of(release_of(name))
        assert (release_of(found).name, release_of(found).protocol) == (found, found)
    odd = protocol_of("0123abcd", **features_of(release_of("master")) | {"first_evaluation_is_round_0": False})
    assert not release_of(odd).first_evaluation_is_round_0
    assert release_of("v0.9.9+0123abcd").first_evaluation_is_round_0  # of a store of former days


def test_a_dump_tells_its_releases() -> None:
    many = [f"option{number}" for number in range(200)]
    assert [release.name for release in releases_of_dump([])] == [name for name in NAMES if name != "llm"]
    assert [release.name for release in releases_of_dump(["eval.save_data", *many])] == ["v0.2.0"]
    assert [release.name for release in releases_of_dump(["train.data_para_dids"])] == ["master", "v0.3.0 to master"]
    assert [release.name for release in releases_of_dump(["llm.adapter.use", "train.data_para_dids"])] == ["llm"]
    assert [release.name for release in releases_of_dump(many)] == ["v0.3.0 to master", "v0.3.0", "v0.2.0"]
