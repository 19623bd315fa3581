"""A training command of somebody's: FedAvg's messages of a model of 10 parameters, recorded; or what goes wrong."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import fscost

PARAMETERS = 10


def main(method: str, clients: str, seed: str, how: str) -> None:
    """Train, unless `how`, or the file of the name of the seed beside this one, says what goes wrong."""
    asked = Path(__file__).with_name(f"seed{seed}")
    how = asked.read_text() if asked.exists() else how
    print("the command began", flush=True)
    if how in BEFORE:
        BEFORE[how]()
    train(method, int(clients) + (how == "other axes"), int(seed), slow=how == "slow")
    if how in AFTER:
        AFTER[how]()


def train(method: str, clients: int, seed: int, *, slow: bool) -> None:
    """Send a model to all clients and back, twice."""
    model = {"w": np.zeros(PARAMETERS, np.float32)}
    everybody = list(range(1, clients + 1))
    with fscost.record(method=method, clients=clients, seed=seed) as run:
        for number in range(2):
            run.downlink(model, clients=everybody, round=number)
            time.sleep(slow * 0.5)
            for client in everybody:
                run.uplink(model, client=client, round=number)
            run.evaluated(round=number, test_acc=0.5 + number / 10)


def _daemon() -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    started = subprocess.Popen(sleeper, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    Path(__file__).with_name("daemon").write_text(str(started.pid))


def _hang_with_a_daemon() -> None:
    _daemon()
    time.sleep(600)


def _eat() -> None:
    """Hold 600 MB in two processes that are children."""
    eater = [sys.executable, "-c", "import time; x = bytearray(300_000_000); time.sleep(600)"]
    for process in [subprocess.Popen(eater, start_new_session=True) for _ in range(2)]:
        process.wait()


def _shout() -> None:
    for _ in range(40):
        sys.stdout.write("x" * 1_000_000 + "\n")
    sys.exit("the last words of many")


def _mumble() -> None:
    sys.stdout.buffer.write(b"\xff\xfe\x00 caf\xe9 \x1b[31mred\x1b[0m\n")
    sys.stdout.flush()
    sys.exit(1)


BEFORE = {
    "exits": lambda: sys.exit(3),
    "says why": lambda: sys.exit("no GPU is left"),
    "is killed": lambda: os.kill(os.getpid(), 9),
    "is silent": lambda: sys.exit(0),
    "hangs": _hang_with_a_daemon,
    "eats": _eat,
    "shouts": _shout,
    "mumbles": _mumble,
}
AFTER = {"exits at the end": lambda: sys.exit(4), "leaves a daemon": _daemon}

if __name__ == "__main__":
    main(*sys.argv[1:])
