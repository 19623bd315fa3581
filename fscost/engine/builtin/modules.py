"""FederatedScope's models: the same state_dict names, shapes and dtypes."""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from fscost.protocol.course_options import Options
from fscost.protocol.models import CONVNET5, VGG11, Convolutions


def build_model(options: Options, sample: Tensor) -> nn.Module:
    """Return the cell's model for inputs like `sample` (without the batch axis)."""
    outputs, hidden, dropout = options["model.out_channels"], options["model.hidden"], options["model.dropout"]
    match options["model.type"]:
        case "lr":
            return LogisticRegression(sample.shape[-1], outputs, bias=options["model.use_bias"])
        case "mlp":
            return Mlp([sample.shape[-1]] + [hidden] * (options["model.layer"] - 1) + [outputs], dropout)
        case "convnet2":
            return ConvNet2(sample.shape, hidden, outputs, dropout)
        case "convnet5":
            return ConvNet(sample.shape, CONVNET5, [hidden, outputs], dropout)
        case "vgg11":
            return ConvNet(sample.shape, VGG11, [hidden, hidden, outputs], dropout)
        case "lstm":
            return Lstm(options["model.in_channels"], options["model.embed_size"], hidden, outputs, dropout)
        case unknown:
            raise ValueError(f"no model {unknown}")


class LogisticRegression(nn.Module):
    """One linear layer, ``fc``."""

    def __init__(self, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, outputs, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs) to (n, outputs)."""
        out: Tensor = self.fc(x)
        return out


class Mlp(nn.Module):
    """Linear layers with batch norm, ReLU and dropout between them.

    There is a norm behind the last layer too: never used, but part of the state_dict, and so of every message.
    """

    def __init__(self, widths: list[int], dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in widths[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, widths[0]) to (n, widths[-1])."""
        x = self.linears[0](x)
        for linear, norm in zip(list(self.linears)[1:], list(self.norms)[:-1], strict=True):
            x = functional.dropout(functional.relu(norm(x)), self.dropout, self.training)
            x = linear(x)
        return x


class ConvNet2(nn.Module):
    """Two 5×5 convolutions with batch norm, ReLU and 2×2 max pooling, then two linear layers."""

    def __init__(self, shape: torch.Size, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        channels, height, width = shape
        self.dropout = dropout
        self.conv1 = nn.Conv2d(channels, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 64, 5, padding=2)
        self.bn1 = nn.BatchNorm2d(32)
        self.bn2 = nn.BatchNorm2d(64)
        self.fc1 = nn.Linear(64 * (height // 4) * (width // 4), hidden)
        self.fc2 = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, height, width) to (n, outputs)."""
        x = _channels_last(self.conv1(x))
        x = functional.max_pool2d(functional.relu(self.bn1(x)), 2)
        x = functional.max_pool2d(functional.relu(self.bn2(self.conv2(x))), 2)
        x = functional.dropout(x.flatten(1), self.dropout, self.training)
        x = functional.dropout(functional.relu(self.fc1(x)), self.dropout, self.training)
        out: Tensor = self.fc2(x)
        return out


class ConvNet(nn.Module):
    """Convolutions with batch norm, ReLU and 2×2 max pooling, then linear layers with dropout before each."""

    def __init__(self, shape: torch.Size, convolutions: Convolutions, widths: list[int], dropout: float) -> None:
        super().__init__()
        self.convolutions, self.dropout = convolutions, dropout
        inputs, height, width = shape
        for number, (before, after) in enumerate(pairwise((inputs, *convolutions.channels)), start=1):
            kernel = convolutions.kernel
            self.add_module(f"conv{number}", nn.Conv2d(before, after, kernel, padding=kernel // 2))
            self.add_module(f"bn{number}", nn.BatchNorm2d(after))
        scale: int = 2 ** len(convolutions.halved)
        pixels = (height // scale) * (width // scale)
        self.linears = len(widths)
        for number, (before, after) in enumerate(pairwise((convolutions.channels[-1] * pixels, *widths)), start=1):
            self.add_module(f"fc{number}", nn.Linear(before, after))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, height, width) to (n, outputs)."""
        for number in range(1, len(self.convolutions.channels) + 1):
            x = _channels_last(self._layer(f"conv{number}", x))
            x = functional.relu(self._layer(f"bn{number}", x))
            x = functional.max_pool2d(x, 2) if number in self.convolutions.halved else x
        x = x.flatten(1)
        for number in range(1, self.linears + 1):
            x = functional.relu(x) if number > 1 else x
            x = self._layer(f"fc{number}", functional.dropout(x, self.dropout, self.training))
        return x

    def _layer(self, name: str, x: Tensor) -> Tensor:
        out: Tensor = self.get_submodule(name)(x)
        return out


def _channels_last(x: Tensor) -> Tensor:
    """Return (n, channels, height, width) as it is, but with the channels of a pixel side by side in memory.

    torch's pooling is an order of magnitude faster so, and later layers keep it; weights stay as they are, as messages
    carry them.
    """
    return x.contiguous(memory_format=torch.channels_last)


class Lstm(nn.Module):
    """An embedding of tokens, two LSTM layers, and a linear layer behind every step, of which the last one counts."""

    def __init__(self, tokens: int, embedded: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.encoder = nn.Embedding(tokens, embedded)
        self.rnn = nn.LSTM(embedded, hidden, num_layers=2, batch_first=True, dropout=dropout)
        self.decoder = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, steps) of tokens to (n, outputs)."""
        steps, _ = self.rnn(self.encoder(x))
        out: Tensor = self.decoder(steps)
        return out[:, -1]


def forward_flops(model: nn.Module, sample: Tensor) -> int:
    """Return the multiply-adds of one training forward pass of one sample, counted as fvcore does.

    Linear and convolution layers count one per multiplied weight, batch norm five per element; recurrent layers none.
    """
    counts: list[int] = []
    hooks = [module.register_forward_hook(_counter(counts)) for module in _leaves(model)]
    model.eval()
    with torch.no_grad():
        model(sample[None])
    for hook in hooks:
        hook.remove()
    return sum(counts)


def _leaves(model: nn.Module) -> Iterator[nn.Module]:
    return (module for module in model.modules() if not list(module.children()))


def _counter(counts: list[int]):  # type: ignore[no-untyped-def]  # torch types hooks loosely
    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Linear):
            counts.append(module.weight.numel() * output[..., 0].numel())
        elif isinstance(module, nn.Conv2d):
            counts.append(module.weight.numel() * output[0, 0].numel())
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            counts.append(5 * output.numel())

    return count
