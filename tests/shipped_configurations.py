"""How many of the YAML files that a FederatedScope comes with are planned, beside how many of them it loads itself.

``python -m tests.shipped_configurations PYTHON FOLDER`` takes an interpreter that has FederatedScope, and its checkout,
or any other folder of configurations. Each file is given to that FederatedScope, ``merge_from_file`` and ``freeze``,
and to ``engine=federatedscope fs_config=FILE``. What it loads and is refused here is listed with the reasons; what it
refuses and is planned here is listed too, and the exit code is 1 where there is any.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fscost.api.selection import settings_of
from fscost.engine import Engines, identify, refusals
from fscost.errors import ConfigError
from fscost.plan import Planned, plan

_LOAD = """
import inspect, json, os, sys
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from federatedscope.core.configs.config import global_cfg
for file in sys.stdin.read().splitlines():
    config, refusal = global_cfg.clone(), ""
    try:
        config.merge_from_file(file)
        config.outdir = "."
        parameters = inspect.signature(config.freeze).parameters
        config.freeze(**{word: False for word in ("inform", "save") if word in parameters})
    except Exception as error:
        refusal = f"{type(error).__name__}: {error}"
    replies.write(json.dumps([file, refusal]) + "\\n")
"""


@dataclass(frozen=True)
class Answers:
    """What FederatedScope and fscost say of a file; empty where they take it."""

    file: Path
    theirs: str
    ours: str


def main(python: str, folder: str) -> int:
    """Print the counts and what is behind them; returns the exit code."""
    answers = list(answered(python, shipped(Path(folder))))
    print(f"{len(answers)} files")
    for loads in (True, False):
        of_these = [a for a in answers if loads is not bool(a.theirs)]
        refused = sum(bool(a.ours) for a in of_these)
        verb = "loads" if loads else "refuses"
        print(f"FederatedScope {verb} {len(of_these)}: {len(of_these) - refused} planned, {refused} refused")
    reasons = Counter(_kind(a.ours) for a in answers if a.ours and not a.theirs)
    for reason, count in reasons.most_common():
        print(f"loads, refused: {count} × {reason}")
    wrong = [a for a in answers if a.theirs and not a.ours]
    for answer in wrong:
        print(f"refuses, planned: {answer.file}: {' '.join(answer.theirs.split())}")
    return int(bool(wrong))


def shipped(folder: Path) -> list[Path]:
    """Return the YAML files in the folders of a checkout, without those of its tools."""
    files = [*folder.rglob("*.yaml"), *folder.rglob("*.yml")]
    inner = ((file, file.relative_to(folder).parts) for file in sorted(files))
    return [file for file, parts in inner if not any(part.startswith(".") for part in parts) and _is_one(parts)]


def _is_one(parts: Sequence[str]) -> bool:
    return parts != ("meta.yaml",)


def answered(python: str, files: Sequence[Path]) -> Iterator[Answers]:
    """Yield what both say of each file."""
    theirs = loaded(python, files)
    with Engines() as engines:
        made = {file: planned(python, file, engines) for file in files}
    ours = [one for one in made.values() if not isinstance(one, str)]
    told = iter(refusals(ours[0].engine, [one.cell for one in ours]) if ours else [])
    for file, one in made.items():
        yield Answers(file, theirs[str(file)], one if isinstance(one, str) else next(told))


def loaded(python: str, files: Sequence[Path]) -> dict[str, str]:
    """Return why FederatedScope refuses each of the files, empty where it loads it."""
    with tempfile.TemporaryDirectory() as elsewhere:
        names = "\n".join(str(file.resolve()) for file in files)
        done = subprocess.run(
            [python, "-c", _LOAD], input=names, stdout=subprocess.PIPE, text=True, check=True, cwd=elsewhere
        )
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    return {str(file): found[str(file.resolve())] for file in files}


def planned(python: str, file: Path, engines: Engines) -> Planned | str:
    """Return the cell of a file as far as no configuration as a whole is asked about, or why there is none."""
    words = ["engine=federatedscope", f"engine.python={python}", f"fs_config='{file}'"]
    try:
        (one,) = plan(words, identify).cells
        engines.of(one.cell, settings_of(one)).check(one.cell)
    except ConfigError as error:
        return str(error)
    return one


def _kind(reason: str) -> str:
    """Return a reason without the file that it names."""
    return re.sub(r"fs_config=\S+: ", "", reason)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
