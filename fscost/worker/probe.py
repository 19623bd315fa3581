"""Which FederatedScope there is: found without importing it, so that a plan does not wait for torch."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fscost.protocol.release import protocol_of


def probe() -> dict[str, Any]:
    """Return folder, version, commit, fingerprint and protocol of this interpreter's FederatedScope, or ``error``."""
    spec = find_spec("federatedscope")
    if spec is None or spec.origin is None:
        return {"error": "it has no module federatedscope"}
    folder = Path(spec.origin).parent
    found = re.search(r"__version__ = '(.+)'", _text(folder / "__init__.py"))
    version = found.group(1) if found else "unknown"
    fingerprint = fingerprint_of(folder)
    return {
        "folder": str(folder),
        "version": version,
        "commit": commit_of(folder),
        "fingerprint": fingerprint,
        "protocol": protocol_of(
            fingerprint,
            pickles=pickles_models(folder),
            uploads_buffers=_uploads_buffers(folder),
            first_evaluation_is_round_0=_counts_from_0(folder),
            adapts=(folder / "core" / "configs" / "cfg_llm.py").is_file(),
        ),
    }


def fingerprint_of(folder: Path) -> str:
    """Return the first 16 hex digits of the sha256 of a package's source, however it came here.

    Neither line endings count nor modules that protobuf generates, nor what editors keep in hidden folders.
    """
    files = ((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*.py"))
    own = hashlib.sha256()
    for name, path in sorted(files):
        if not name.endswith(_GENERATED) and not re.search(r"(^|/)[.]", name):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            own.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return own.hexdigest()[:16]


_GENERATED = ("_pb2.py", "_pb2_grpc.py")


def pickles_models(folder: Path) -> bool:
    """Return whether distributed mode pickles the tensors of ``model_para``, as since April 2023."""
    return "b64serializer" in _text(folder / "core" / "message.py")


def _uploads_buffers(folder: Path) -> bool:
    """Return whether clients upload running statistics too: since July 2023 the filter looks at names."""
    return not bool(re.search(r"trainable_filter\(\w+\[0\]\)", _text(folder / "core" / "trainers" / "trainer.py")))


def _counts_from_0(folder: Path) -> bool:
    """Return whether the evaluation after the first round is that of round 0: since December 2022, not of 1."""
    return any("self.state - 1 if msg_type" in _text(file) for file in folder.glob("core/worker*/server.py"))


def commit_of(folder: Path) -> str | None:
    """Return the git commit of the package in `folder`, with ``+changes`` where its files or modules differ from it.

    A package without a checkout has the commit it was installed from, None if that was not written down.
    """
    top, head = _git(folder, "rev-parse", "--show-toplevel"), _git(folder, "rev-parse", "HEAD")
    if not top or not head or Path(top).resolve() != folder.resolve().parent:
        return _installed_commit()
    return f"{head}+changes" if _is_changed(folder) else head


def _is_changed(folder: Path) -> bool:
    """Return whether a package is not what was committed; new modules count, as contrib/ imports all there are."""
    lines = (_git(folder, "status", "--porcelain", "-uall", "--", str(folder)) or "").splitlines()
    return any(not line.startswith("??") or line.rstrip('"').endswith(".py") for line in lines)


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _installed_commit() -> str | None:
    try:
        written = metadata.distribution("federatedscope").read_text("direct_url.json")
        commit = json.loads(written or "{}").get("vcs_info", {}).get("commit_id")
    except (metadata.PackageNotFoundError, ValueError):
        return None
    return str(commit) if commit else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
