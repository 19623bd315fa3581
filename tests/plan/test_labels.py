"""Whatever a table calls something can be called otherwise: ``table.labels.KEY=TEXT``, the key existing or not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result

SWEEP = ("engine=estimate", "model=lr", "rounds=2")
CONVNET = "model=convnet2 data=digits"


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("word", "grid", "shown"),
    [
        ("table.labels.fedavg=Ours", "method=fedavg", " Ours "),
        ("+table.labels.fedavg=Ours", "method=fedavg", " Ours "),
        ("table.labels.fedavg=FedAvg (ours), $x$ = 1", "method=fedavg", " FedAvg (ours), $x$ = 1 "),
        ('table.labels.fedavg="a b"', "method=fedavg", " a b "),
        ("table.labels.fedavg=null", "method=fedavg", " fedavg "),
        ("table.labels.fedavg=1e-3", "method=fedavg", " 1e-3 "),
        ("table.labels.fedprox+quant8=Both", "method=fedprox fs.quantization.method=uniform", " Both "),
        ("table.labels.local: conv1=Lower half", f"{CONVNET} fs.personalization.local_param=[conv1]", " Lower half "),
        ("table.labels.train.optimizer.lr=Rate", "fs.train.optimizer.lr=0.1,0.5", " Rate "),
        ("table.labels.0.5=half", "fs.train.optimizer.lr=0.1,0.5", " half "),
        ("table.labels.-1=all of them", "clients=4 fs.federate.sample_client_num=-1,2", " all of them "),
        ("table.labels.true=on", "fs.federate.share_local_model=true,false", " on "),
        ("table.labels.method=Algorithm", "method=fedavg", " Algorithm "),
        ("table.labels.nobody=X", "method=fedavg", " FedAvg "),
        ("table.labels.größe→=X", "method=fedavg", " FedAvg "),
    ],
)
def test_anything_is_called_as_it_is_told(
    here: Path, fscost: Callable[..., Result], word: str, grid: str, shown: str
) -> None:
    done = fscost("-m", *SWEEP, *grid.split(), word)
    assert done.code == 0, done.err
    assert shown in done.out
    assert shown in fscost("table").out  # as the last sweep


@pytest.mark.pipeline
def test_a_label_is_of_no_cell(here: Path, fscost: Callable[..., Result]) -> None:
    fscost("-m", *SWEEP, "method=fedavg,fedprox", "table.labels.fedavg=A, B")
    again = fscost("-m", *SWEEP, "method=fedavg,fedprox", "table.labels.fedprox=C")
    assert "2 cells: 2 done, 0 to run" in again.err
    assert " FedAvg " in again.out
    assert " C " in fscost("table", "runs", "table.labels.fedprox=C").out


def test_a_label_of_nothing_is_refused(here: Path, fscost: Callable[..., Result]) -> None:
    done = fscost("table", *SWEEP, "table.labels.=x")
    assert (done.code, done.out) == (2, "")
    assert "table.labels.=x: names nothing to label; write table.labels.KEY=TEXT" in done.err


def test_the_last_word_holds(here: Path, fscost: Callable[..., Result]) -> None:
    done = fscost("table", *SWEEP, "table.labels.fedavg=A", "table.labels.fedavg=B c")
    assert " B c " in done.out
