"""What is known of FederatedScope's releases stands in one module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import fscost
from fscost.protocol.release import NAMES, PROTOCOLS, RELEASES, protocol_of, release_of, releases_of_dump

PACKAGE = Path(fscost.__file__).parent


def texts_of(path: Path) -> Iterator[str]:
    yield from (node.value for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str))  # fmt: skip


def test_no_other_module_names_a_release() -> None:
    names = {*NAMES, *(name.lstrip("v") for name in NAMES)}
    modules = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "protocol" / "release.py"]
    assert not {str(path) for path in modules if names.intersection(texts_of(path))}


def test_an_unnamed_commit_counts_rounds_as_later_releases_do() -> None:
    other = release_of("v0.3.0+0123abcd")
    assert (other.name, other.first_evaluation_is_round_0, other.uploads_buffers) == ("v0.3.0+0123abcd", True, True)
    assert other.splits_iid and not any(release.splits_iid for release in RELEASES)


def test_a_release_is_named_by_what_it_sends() -> None:
    for name in PROTOCOLS:
        release = release_of(name)
        found = protocol_of(name[1:], None, pickles=release.pickles, uploads_buffers=release.uploads_buffers)
        assert found == name
    assert protocol_of("0.3.0", "0123abcdef", pickles=True, uploads_buffers=True) == "v0.3.0+0123abcd"


def test_a_dump_tells_its_releases() -> None:
    many = [f"option{number}" for number in range(200)]
    assert releases_of_dump([]) == list(RELEASES)
    assert [release.name for release in releases_of_dump(["eval.save_data", *many])] == ["v0.2.0"]
    assert releases_of_dump(["train.data_para_dids"]) == list(RELEASES[:2])
    assert releases_of_dump(many) == list(RELEASES[1:])
