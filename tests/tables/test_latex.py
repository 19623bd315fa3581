"""The LaTeX table compiles as it is, with pdflatex, inside a minimal document."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed"),
]

PAGE = r"""\documentclass{article}
\usepackage{adjustbox,booktabs,multirow,siunitx,threeparttable}
\begin{document}
\input{table.tex}
\end{document}
"""


@pytest.mark.parametrize(
    "grid",
    [
        ("method=fedavg,fedprox", "model=lr,mlp_s", "clients=2,3", "rounds=1", "seed=0,1"),
        ("model=lr", "rounds=1", "lr=0.1,0.3"),
        ("model=lr,mlp_s", "rounds=1", "table=time", "network={uplink_mbps: 10, downlink_mbps: 50, latency_ms: 5}"),
        ("model=lr", "rounds=1", "fs.federate.method=FedAvg", "table.labels={lr: '[a_b&c%d#$^~{}<>|×±⁶α]'}"),
    ],
)
def test_a_table_compiles_and_fits_the_page(here: Path, fscost: Callable[..., Result], grid: tuple[str, ...]) -> None:
    assert fscost(*grid).code == 0
    missing = ("clients=2,3,4",) if "clients=2,3" in grid else ()
    assert fscost("table", *grid, *missing, "--format", "latex", "--out", "table.tex").code == 0
    Path("page.tex").write_text(PAGE)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Output written on page.pdf (1 page" in done.stdout
    assert "Overfull" not in done.stdout
