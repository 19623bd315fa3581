"""``python steps.py [course]``: print the seconds of 600 steps of SGD of convnet2, as 30 clients take in 10 rounds.

With ``course`` also of their 300 evaluations, of weights that lie as torch makes them and messages have them, of taking
the server's for each local update, copying the trained ones, and their mean: FedAvg without messages.
"""

import sys
import time

import torch
from torch import nn

torch.set_num_threads(1)

_BATCHES = (32, 16)
"""What 48 samples of a client make; the digits have 1,437 to train with."""
_SPLITS = (6, 6)
"""The samples that a client evaluates on, those to validate with and those to test with."""


class _ChannelsLast(nn.Module):
    """Lets the layers behind it be an order of magnitude faster, as in the builtin engine."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.contiguous(memory_format=torch.channels_last)


def main() -> None:
    """Train, after a few steps that warm torch up."""
    is_course = sys.argv[1:] == ["course"]
    layers = (
        nn.Conv2d(1, 32, 5, padding=2), _ChannelsLast(), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip
    model: nn.Module = nn.Sequential(*layers)
    if not is_course:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # which torch's types leave out
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = [(torch.randn(size, 1, 8, 8), torch.randint(10, (size,))) for size in _BATCHES]
    for _ in range(10):
        _epoch(model, optimizer, data)
    server = {name: value.clone() for name, value in model.state_dict().items()}
    begin_s = time.monotonic()
    for _ in range(10):
        uploads = []
        for _ in range(30):
            if is_course:
                _evaluate(model, server)
            _epoch(model, optimizer, data)
            if is_course:
                uploads.append({name: value.detach().clone() for name, value in model.named_parameters()})
        server |= {name: sum(own[name] for own in uploads) / len(uploads) for name in (uploads or [{}])[0]}
    print(time.monotonic() - begin_s)


def _epoch(model: nn.Module, optimizer: torch.optim.Optimizer, data: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    for x, y in data:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


@torch.no_grad()
def _evaluate(model: nn.Module, received: dict[str, torch.Tensor]) -> None:
    for name, value in model.state_dict().items():
        value.copy_(received[name])
    outputs = model.eval()(torch.zeros(sum(_SPLITS), 1, 8, 8))
    for output in outputs.split(_SPLITS):
        y = torch.zeros(len(output), dtype=torch.int64)
        float(nn.functional.cross_entropy(output, y))
        float((output.argmax(1) == y).double().mean())
    model.train()


if __name__ == "__main__":
    main()
