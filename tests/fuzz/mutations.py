"""One odd thing in one file: a value, a key, a line, a byte, or no file at all where there was one."""

import ast
import json
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

DEEP = "[" * 100_000
VALUES = [
    "null", "true", "0", "-1", "1.5", "1e400", "-1e400", "NaN", "Infinity", "9" * 25, "9" * 5000, "-" + "9" * 40,
    str(2**63), '""', '"x"', '"²"', '"5080"', '"\\ud800"', '"\\u0000"', '"\\u2028"', '"\\u202e"', '"=1+1"', "[]",
    '"../../x"', '"${oc.env:HOME}"', "[1]", "{}", '{"a": 1}', '{"": {"b": [1, 2]}}', DEEP, "[" * 60 + "]" * 60,
    '{"a":' * 3000 + "1" + "}" * 3000, '"done"', '"failed"', '"running"', '"llm"', '"peer"', '"dig"', '"2024-01-01"',
]  # fmt: skip
KEYS = [
    "", "cell", "worker", "run", "round", "id", "type", "status", "of", "²", "\u2028", "x" * 300, "best_of", "sha256",
    "format", "sent_messages", "training_uplink_payload_bytes", "val_accuracy", "total_upload_bytes", "params", "seed",
]  # fmt: skip
YAML = [
    "null", "2024-01-01", "2024-99-99", "!!python/object:os.system x", "!foo x", "!!binary abc", ".inf", "'",
    "!!bool maybe", "!!int ''", "0x" + "f" * 5000, "9" * 5000, "[", "{", "*a", "&a [*a]", "<<: *x", "'²'", '"\\ud800"',
    "[" * 2000 + "]" * 2000, "? [a]: b", "@x", "%x", "=", "12:30:45", "{a: {b: c}}", "[1, [2]]", "-1", "1e400", "on",
]  # fmt: skip
BYTES = [
    b"\x00", b"\xff\xfe", b"\xe9", b"\n", b"\r", b"\xe2\x80\xa8", b"\xc2\x85", b"{", b"}", b"'", b'"', b",", b"-",
    b"9" * 5000, b"\xef\xbb\xbf", b"[" * 100_000, b"\x1b[31m", b"e400", b"\n{'Role': 'Server #', 'Round': True}\n",
    b"\n{'Role': 'Server #', 'Round': -5, 'Results_raw': {'round': 3, 'cell': 4, 'of': 1, 'test_acc': 1e999}}\n",
    b'\n{"id": "\xc2\xb2"}\n{"id": 3, "total_upload_bytes": 1e400}\n{"id": true}\n', b"\n" + b"(" * 300 + b"\n",
]  # fmt: skip
BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)), ""])
HOW = ("value", "value", "value", "key", "leave out", "rename", "insert", "flip", "cut", "again", "absent")
ABSENT = ("fifo", "folder", "loop", "socket", "/dev/zero", "/dev/null", "/dev/full", "empty", "gone")


@dataclass(frozen=True)
class Mutation:
    """What is done to the file at a place among the run's: `places` say where in it, `refits` its digest to it."""

    file: int
    how: str
    places: tuple[int, int]
    odd: int
    refits: bool


def mutations() -> st.SearchStrategy[Mutation]:
    return st.builds(
        Mutation,
        file=st.integers(0, 9),
        how=st.sampled_from(HOW),
        places=st.tuples(st.integers(0, 2**20), st.integers(0, 2**20)),
        odd=st.integers(0, 999),
        refits=st.booleans(),
    )  # fmt: skip


def mutate(folder: Path, what: Mutation) -> Path:
    """Mutate one file of a run; return it."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "engine.log")
    file = files[what.file % len(files)]
    if what.how == "absent":
        _make_absent(file, ABSENT[what.odd % len(ABSENT)])
    elif what.how in ("insert", "flip", "cut", "again"):
        file.write_bytes(_other_bytes(file.read_bytes(), what))
    elif file.suffix == ".yaml":
        file.write_text(_other_yaml(file.read_text(), what))
    else:
        file.write_text(_other_tree(file, what))
    if what.refits and file.name == "ledger.jsonl" and file.is_file() and file.stat().st_size < 2**20:
        *lines, _ = file.read_bytes().splitlines(keepends=True) or [b""]
        digest = sha256(b"".join(lines)).hexdigest()
        file.write_bytes(b"".join([*lines, json.dumps({"sha256": digest}).encode(), b"\n"]))
    return file


def _make_absent(file: Path, how: str) -> None:
    file.unlink()
    if how == "fifo":
        os.mkfifo(file)
    elif how == "folder":
        file.mkdir()
    elif how == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            home = os.open(".", os.O_RDONLY)
            os.chdir(file.parent)  # a socket's path is short
            made.bind(file.name)
            os.fchdir(home)
            os.close(home)
    elif how == "empty":
        file.touch()
    elif how != "gone":
        file.symlink_to(file.name if how == "loop" else how)


def _other_bytes(content: bytes, what: Mutation) -> bytes:
    begin = what.places[0] % (len(content) + 1)
    if what.how == "insert":
        return content[:begin] + BYTES[what.odd % len(BYTES)] + content[begin:]
    if what.how == "flip" and content:
        begin %= len(content)
        return content[:begin] + bytes([content[begin] ^ 1 << what.odd % 8]) + content[begin + 1 :]
    if what.how == "cut":
        return content[:begin] if what.odd % 2 else content[:begin] + content[begin + what.odd :]
    lines = content.splitlines(keepends=True)
    return b"".join([*lines, *lines[: what.odd % 5]])


def _other_yaml(text: str, what: Mutation) -> str:
    lines = text.splitlines()
    if what.how == "key":
        return BOMB + text
    place = what.places[0] % len(lines)
    key = lines[place].partition(":")[0]
    lines[place] = f"{key}: {YAML[what.odd % len(YAML)]}" if what.how == "value" else YAML[what.odd % len(YAML)]
    return "\n".join([*lines, ""])


def _other_tree(file: Path, what: Mutation) -> str:
    """Change a value in a file of JSON, or in one line of a file of lines."""
    text = file.read_text()
    if file.name in ("cell.json", "outcome.json"):
        return _changed(json.loads(text), what)
    lines = text.splitlines()
    place = what.places[1] % len(lines)
    is_json = lines[place].startswith('{"')
    changed = _changed(json.loads(lines[place]) if is_json else _python(lines[place]), what)
    lines[place] = changed if is_json else changed.replace('"', "'").replace("null", "None").replace("true", "True")
    return "\n".join([*lines, ""])


def _python(line: str) -> Any:
    return ast.literal_eval(re.sub(r"\b(nan|inf)\b", "None", line))


def _changed(tree: Any, what: Mutation) -> str:
    """Return a tree as JSON with one of its values, keys or parts another one."""
    places = [*_places(tree)]
    node, key = places[what.places[0] % len(places)]
    if what.how == "value":
        node[key] = "@ODD@"
    elif what.how == "leave out":
        del node[key]
    elif isinstance(node, dict):
        value = node[key] if what.how == "key" else node.pop(key)
        node[KEYS[what.odd % len(KEYS)]] = value
    return json.dumps(tree, indent=None).replace('"@ODD@"', VALUES[what.odd % len(VALUES)])


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    for key in node if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from _places(node[key])
