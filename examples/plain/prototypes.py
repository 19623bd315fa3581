"""A method of one's own, recorded: clients send the mean image of each class that they have, and no model.

The server averages these prototypes, and an image is of the class whose prototype is nearest.
"""

import argparse

import numpy as np
from fedavg import shards

import fscost


def main() -> None:
    """Train, record and evaluate."""
    parser = argparse.ArgumentParser()
    for name, default in (("clients", 3), ("rounds", 3), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    axes = vars(parser.parse_args())
    *parts, (images, labels) = shards(axes["clients"], axes["seed"])
    rng = np.random.default_rng(axes["seed"])
    prototypes = np.zeros((10, 64), "float32")
    with fscost.record(method="prototypes", model="nearest mean", data="digits", **axes) as run:
        for number in range(axes["rounds"]):
            run.downlink(prototypes, round=number, type="prototypes")
            sums, counts = np.zeros((10, 64), "float32"), np.zeros(10)
            for client, (own, own_labels) in enumerate(parts, start=1):
                batch = rng.choice(len(own), 40, replace=False)
                classes = np.unique(own_labels[batch])
                means = np.stack([own[batch][own_labels[batch] == label].mean(0) for label in classes])
                run.uplink({"classes": classes, "means": means}, client=client, round=number, type="prototypes")
                sums[classes] += means
                counts[classes] += 1
            seen = counts > 0
            prototypes[seen] += (sums[seen] / counts[seen, None] - prototypes[seen]) / (number + 1)
            distances = ((images[:, None] - prototypes) ** 2).sum(2)
            run.evaluated(round=number, test_acc=np.mean(distances.argmin(1) == labels))


if __name__ == "__main__":
    main()
