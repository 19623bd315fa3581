"""How long a local update is: passes over a client's samples, batches in each, and the samples seen in all."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A local update of `steps` epochs or batches (`unit`).

    `passes` replaces the number of passes where a method has its own (FedRep), and each batch is used `repeats` times
    in a row (pFedMe); both as FederatedScope counts them.
    """

    steps: int
    unit: str
    batch_size: int
    drop_last: bool
    passes: int | None = None
    repeats: int = 1

    def per_pass(self, samples: int) -> int:
        """Return how many batches one whole pass over `samples` has."""
        return samples // self.batch_size if self.drop_last else math.ceil(samples / self.batch_size)

    def batches(self, samples: int) -> list[int]:
        """Return how many batches each pass takes; raises ValueError where a pass has none."""
        whole = self.per_pass(samples)
        if whole == 0:
            raise ValueError(
                f"a client has {samples} samples, less than a batch of {self.batch_size}, and drop_last is set"
            )
        if self.unit == "epoch":
            first = last = whole
            passes = self.steps
        else:
            passes = math.ceil(self.steps / whole)
            first, last = min(self.steps, whole), self.steps % whole or whole
        passes = self.passes or passes * self.repeats
        return [first] * (passes - 1) + [last]

    def sample_size(self, samples: int) -> int:
        """Return the samples seen in one local update of a client that has `samples`, each as often as it is seen."""
        whole = samples - samples % self.batch_size if self.drop_last else samples
        batches = self.batches(samples)
        if self.repeats > 1:  # the batches at the end of a pass are never drawn, so only the one of a single is short
            return sum(batches) * min(self.batch_size, whole)
        return sum(min(count * self.batch_size, whole) for count in batches)
