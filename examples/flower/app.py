"""A Flower app on scikit-learn's digits, FedAvg and FedProx, recorded: ``python app.py --clients 3``.

One process simulates server and clients; nothing is downloaded.
"""

import argparse
import os

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, FedProx
from flwr.simulation import run_simulation
from sklearn.datasets import load_digits

import fscost

client_app = ClientApp()


def shard(number: int, clients: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (n, 64) and labels (n,) of a client, counted from 0; the test set is behind the last."""
    images, labels = load_digits(return_X_y=True)
    part = np.array_split(np.random.default_rng(0).permutation(len(labels)), clients + 1)[number]
    return images[part].astype("float32") / 16, labels[part]


def probabilities(model: list[np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return the probability (n, 10) of each class."""
    logits = images @ model[0].T + model[1]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def accuracy(model: list[np.ndarray], images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images whose most probable class is theirs."""
    return float(np.mean(probabilities(model, images).argmax(1) == labels))


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """Take 20 steps of gradient descent; FedProx draws them to the model that came."""
    images, labels = shard(int(context.node_config["partition-id"]), int(context.node_config["num-partitions"]))
    start = message.content["arrays"].to_numpy_ndarrays()
    mu, model = float(message.content["config"].get("proximal-mu", 0.0)), start
    for _ in range(20):
        errors = (probabilities(model, images) - np.eye(10)[labels]).astype("float32") / len(labels)
        slopes = [errors.T @ images, errors.sum(0)]
        model = [
            w - np.float32(0.5) * (s + np.float32(mu) * (w - w0)) for w, s, w0 in zip(model, slopes, start, strict=True)
        ]
    metrics = MetricRecord({"num-examples": len(labels)})
    return Message(RecordDict({"arrays": ArrayRecord(model), "metrics": metrics}), reply_to=message)


@client_app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Evaluate the model on what the client trains with."""
    images, labels = shard(int(context.node_config["partition-id"]), int(context.node_config["num-partitions"]))
    share = accuracy(message.content["arrays"].to_numpy_ndarrays(), images, labels)
    metrics = MetricRecord({"num-examples": len(labels), "accuracy": share})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)


def serve(asked: argparse.Namespace, grid: Grid) -> None:
    """Run the course and record what passes the grid."""
    strategy = FedProx(proximal_mu=asked.mu) if asked.method == "fedprox" else FedAvg()
    test = shard(asked.clients, asked.clients)
    axes = {"method": asked.method, "model": "lr", "data": "digits", "clients": asked.clients, "rounds": asked.rounds}
    with fscost.record(**axes, framework="Flower") as run:

        def evaluated(number: int, arrays: ArrayRecord) -> None:
            if number:
                run.evaluated(round=number, test_acc=accuracy(arrays.to_numpy_ndarrays(), *test))

        first = ArrayRecord([np.zeros((10, 64), "float32"), np.zeros(10, "float32")])
        strategy.start(fscost.record.flower(grid), first, num_rounds=asked.rounds, evaluate_fn=evaluated)


def main() -> None:
    """Simulate the server and its clients."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=("fedavg", "fedprox"), default="fedavg")
    parser.add_argument("--mu", type=float, default=0.1)
    for name in ("clients", "rounds"):
        parser.add_argument(f"--{name}", type=int, default=3)
    asked = parser.parse_args()
    server_app = ServerApp()
    server_app.main()(lambda grid, context: serve(asked, grid))
    run_simulation(server_app, client_app, num_supernodes=asked.clients)


if __name__ == "__main__":
    main()
