"""FedAvg of logistic regression on scikit-learn's digits, in numpy, recorded: ``python fedavg.py --clients 3``."""

import argparse

import numpy as np
from sklearn.datasets import load_digits

import fscost

Model = dict[str, np.ndarray]


def shards(clients: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the images (n, 64) and labels (n,) of each client, and of the test set as the last."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = np.array_split(order, clients + 1)
    return [(images[part].astype("float32") / 16, labels[part]) for part in parts]


def scores(model: Model, images: np.ndarray) -> np.ndarray:
    """Return the probability (n, 10) of each class."""
    logits = images @ model["fc.weight"].T + model["fc.bias"]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def fitted(model: Model, images: np.ndarray, labels: np.ndarray, start: Model, mu: float, lr: float) -> Model:
    """Return the model after a step of gradient descent; with `mu` it is drawn to where it started, as in FedProx."""
    errors = (scores(model, images) - np.eye(10)[labels]).astype("float32") / len(labels)
    slopes = {"fc.weight": errors.T @ images, "fc.bias": errors.sum(0)}
    return {name: model[name] - lr * (slopes[name] + mu * (model[name] - start[name])) for name in model}


def main() -> None:
    """Train, record and evaluate."""
    parser = argparse.ArgumentParser()
    for name, default in (("clients", 3), ("rounds", 3), ("seed", 0), ("mu", 0.0), ("lr", 0.5)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    asked = parser.parse_args()
    *parts, test = shards(asked.clients, asked.seed)
    model = {"fc.weight": np.zeros((10, 64), "float32"), "fc.bias": np.zeros(10, "float32")}
    axes = {"clients": asked.clients, "rounds": asked.rounds, "seed": asked.seed}
    method = "fedprox" if asked.mu else "fedavg"
    with fscost.record(method=method, model="lr", data="digits", **axes, mu=asked.mu, lr=asked.lr) as run:
        for number in range(asked.rounds):
            run.downlink(model, round=number)
            local = []
            for client, (images, labels) in enumerate(parts, start=1):
                own = model
                for _ in range(20):
                    own = fitted(own, images, labels, model, asked.mu, asked.lr)
                run.uplink(own, client=client, round=number)
                local.append(own)
            model = {name: np.mean([own[name] for own in local], axis=0) for name in model}
            accuracy = np.mean(scores(model, test[0]).argmax(1) == test[1])
            run.evaluated(round=number, test_acc=accuracy)


if __name__ == "__main__":
    main()
