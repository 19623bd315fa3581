"""Sweeps of FederatedScope beside a shell loop over its own main.py, with the configurations that fscost gave it."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.pairs import FSCOST, NO_FS, PAIRS, Row, fs_python, in_turn, seconds_of

_CELLS = (
    "engine=federatedscope", "data=toy", "model=lr", "method=fedavg,fedprox", "clients=3,5", "rounds=1",
    "seed=range(0,6)",
)  # fmt: skip
_COUNT = 24
_ONE = 'for cfg in "$@"; do "$FSCOST_FS_PYTHON" "$MAIN" --cfg "$cfg" outdir "$cfg.out" || exit 1; done'
_TWO = 'printf "%s\\n" "$@" | xargs -P 2 -I CFG "$FSCOST_FS_PYTHON" "$MAIN" --cfg CFG outdir CFG.out'


_COURSES = "most of what is left are FederatedScope's own courses, once its imports are paid: see the next row"
_FORKS = "what a sweep in this interpreter cannot avoid: one import, and 24 courses as FederatedScope runs them"


def rows(folder: Path) -> Iterator[Row]:
    """Measure 24 small cells one after another and two at a time; a pair takes a part of the loop's cells."""
    python = fs_python()
    configs = configurations(folder) if python else []
    for jobs, shell, at_most, parts in ((1, _ONE, 1 / 6, (3,) * PAIRS), (2, _TWO, 1 / 5, (4,) * PAIRS)):
        work = f"24 small cells of FederatedScope, {jobs} at a time"
        ours = f"`fscost {' '.join(_CELLS)} hydra.launcher.n_jobs={jobs}`"
        beside = "a shell loop over its main.py" + (" under `xargs -P 2`" if jobs == 2 else "")
        theirs = f"`{shell}`, a part of the cells in each pair"
        if python is None:
            yield Row(work, beside, ours, theirs, at_most, [], note=NO_FS)
            continue
        chunks = iter([configs[a:b] for a, b in pairwise(accumulate(parts, initial=0))])
        found = in_turn(partial(swept, jobs), partial(looped, shell, main_of(python), chunks))
        own, other = (median(took_s) for took_s in zip(*found, strict=True))
        note = f"{own:.2f} s and {other:.2f} s per cell, most of it main.py's imports; {told(python)}"
        yield Row(work, beside, ours, theirs, at_most, [a / b for a, b in found], note=note, limit=_COURSES)
        work = f"main.py of the same 24 cells, {jobs} at a time in forks of one process that has imported it"
        forked_s = forked(python, jobs, configs)  # once: it is the limit of the row above, and takes half a minute
        forks = [forked_s / b for _, b in found]
        yield Row(work, beside, f"`python forks.py {jobs} CFG…`", theirs, at_most, forks, note=_FORKS)


def swept(jobs: int) -> float:
    """Return the seconds per cell of a whole sweep into an empty store."""
    with TemporaryDirectory() as folder:
        return seconds_of(*FSCOST, *_CELLS, f"hydra.launcher.n_jobs={jobs}", cwd=Path(folder)) / _COUNT


def looped(shell: str, main: str, chunks: Iterator[list[Path]]) -> float:
    """Return the seconds per cell of a shell loop over the next of `chunks`, the configurations of some cells."""
    chunk = next(chunks)
    return seconds_of("env", f"MAIN={main}", "bash", "-c", shell, "-", *chunk, cwd=chunk[0].parent) / len(chunk)


def forked(python: str, jobs: int, configs: list[Path]) -> float:
    """Return the seconds per cell of one process that imports main.py once and forks for each."""
    script = Path(__file__).with_name("forks.py")
    return seconds_of(python, script, str(jobs), *configs, cwd=configs[0].parent) / len(configs)


def configurations(folder: Path) -> list[Path]:
    """Return FederatedScope's configuration of each cell, as fscost wrote them, in folders of their own."""
    seconds_of(*FSCOST, *_CELLS, f"store={folder / 'runs'}", cwd=folder)
    found = sorted((folder / "runs").glob("*/fs_config.yaml"))
    return [Path(shutil.copy(path, folder / f"{number}.yaml")) for number, path in enumerate(found)]


def main_of(python: str) -> str:
    """Return where FederatedScope's main.py is."""
    return _said(python, "import federatedscope, os; print(os.path.dirname(federatedscope.__file__))") + "/main.py"


def told(python: str) -> str:
    """Return the versions of the interpreter that has FederatedScope."""
    return _said(python, "import sys, torch; print('Python', sys.version.split()[0], 'torch', torch.__version__)")


def _said(python: str, code: str) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
