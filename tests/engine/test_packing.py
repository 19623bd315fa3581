"""What is packed is as long as its formula, and what is unpacked is as near as the method promises."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

import torch
from torch import Tensor

from fscost.engine.builtin.bit_arrays import from_bits, in_bits
from fscost.engine.builtin.compression import Compression, SummedUpdates, Updates
from fscost.engine.builtin.packing import Known, pack, unpack
from fscost.protocol.codecs import CODECS, Codec, bytes_of, make_codec
from fscost.protocol.codecs.count_sketch import CountSketch
from fscost.protocol.models import Shape

SETTINGS: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "float16": st.just({}),
    "bfloat16": st.just({}),
    "quantise": st.fixed_dictionaries(
        {"bits": st.integers(2, 16), "bucket": st.sampled_from([0, 1, 7, 64]), "stochastic": st.booleans()}
    ),
    "sign": st.fixed_dictionaries({"scale": st.booleans(), "step": st.sampled_from([0.001, 1])}),
    "topk": st.fixed_dictionaries(
        {
            "ratio": st.sampled_from([1e-6, 0.01, 0.3, 1]),
            "index": st.sampled_from(["int32", "packed", "bitmap", "smallest"]),
        }
    ),
    "randomk": st.fixed_dictionaries({"ratio": st.sampled_from([1e-6, 0.1, 1])}),
    "lowrank": st.fixed_dictionaries({"rank": st.integers(1, 9)}),
    "sketch": st.fixed_dictionaries({"rows": st.integers(1, 6), "columns": st.sampled_from([0, 1, 30])}),
    "mask": st.fixed_dictionaries({"step": st.sampled_from([0.01, 2.0])}),
}
CODEC = st.sampled_from(sorted(CODECS)).flatmap(lambda name: SETTINGS[name].map(lambda s: make_codec(name, **s)))
SHAPES = st.lists(st.integers(0, 9), max_size=4).map(tuple)
DTYPES = st.sampled_from([torch.float32, torch.float32, torch.float64, torch.float16, torch.bfloat16])


def tensor(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def round_trip(codec: Codec, x: Tensor, *, is_unbiased: bool = False, seed: int = 1) -> tuple[Any, Tensor]:
    known = Known(tuple(x.shape), x.dtype, seed, is_unbiased)
    arrays = pack(codec, x, known, torch.Generator().manual_seed(seed))
    return arrays, unpack(codec, arrays, known)


def test_every_codec_is_tried() -> None:
    assert {*SETTINGS} == {*CODECS}


@given(codec=CODEC, shape=SHAPES, dtype=DTYPES, seed=st.integers(0, 2**31))
def test_packed_arrays_are_as_long_as_the_formula(
    codec: Codec, shape: tuple[int, ...], dtype: torch.dtype, seed: int
) -> None:
    x = tensor(shape, dtype, seed)
    if codec.leaves(shape, name_of(dtype)):
        assert codec.nbytes(shape, name_of(dtype)) == x.numel() * x.element_size()
        return
    arrays, told = round_trip(codec, x)
    found = [Shape(name, tuple(array.shape), name_of(array.dtype)) for name, array in arrays.items()]
    assert found == [*codec.packed(shape, name_of(dtype))]
    assert sum(array.untyped_storage().nbytes() for array in arrays.values()) == codec.nbytes(shape, name_of(dtype))
    assert all(array.is_contiguous() for array in arrays.values())
    assert (told.shape, told.dtype) == (x.shape, x.dtype)


@given(codec=CODEC, shapes=st.lists(SHAPES, min_size=1, max_size=4), seed=st.integers(0, 99), feedback=st.booleans())
def test_a_message_has_the_arrays_of_its_entries(
    codec: Codec, shapes: list[tuple[int, ...]], seed: int, feedback: bool
) -> None:
    """Counters, running statistics and integers among them travel as they are."""
    if codec.is_summed:
        return
    given_entries = {f"w{n}": tensor(shape, torch.float32, seed) for n, shape in enumerate(shapes)}
    given_entries |= {"running_mean": torch.ones(3), "batches": torch.tensor(7), "table": torch.arange(4)}
    trainable = frozenset(given_entries) - {"running_mean", "batches"}
    compression = Compression(codec, given_entries, trainable, seed, feedback)
    content = compression.packed(given_entries, state=3)
    entries = [Shape(n, tuple(v.shape), name_of(v.dtype), n in trainable) for n, v in given_entries.items()]
    sent = [*codec.sent(entries)]
    assert [(n, tuple(v.shape), name_of(v.dtype)) for n, v in content.items()] == [
        (one.name, one.shape, one.dtype) for one in sent
    ]
    assert sum(v.numel() * v.element_size() for v in content.values()) == bytes_of(sent)
    told = compression.unpacked(content, state=3)
    assert list(told) == list(given_entries)
    assert all(torch.equal(told[name], given_entries[name]) for name in ("running_mean", "batches", "table"))


def lost(x: Tensor, told: Tensor) -> float:
    return float((x - told).double().norm())


def of_quantise(codec: Any, x: Tensor, told: Tensor) -> None:
    """Half a level to the nearest, a whole one at random."""
    level = float(x.abs().max()) / (2 ** (codec.bits - 1) - 1)
    assert float((x - told).abs().max()) <= (1 if codec.stochastic else 0.5) * level * 1.001 + 1e-6


def of_sign(codec: Any, x: Tensor, told: Tensor) -> None:
    """With a scale, |x|² is less by (sum of |x|)² / n, Lemma 8 of Karimireddy et al."""
    assert bool(((told > 0) == (x >= 0)).all()) or float(x.abs().max()) == 0
    if codec.scale:
        assert lost(x, told) ** 2 == pytest.approx(
            lost(x, x * 0) ** 2 - float(x.abs().sum()) ** 2 / x.numel(), abs=1e-3
        )


def of_chosen(codec: Any, x: Tensor, told: Tensor) -> None:
    assert torch.equal(told[told != 0], x[told != 0])
    assert int((told != 0).sum()) == codec.packed(tuple(x.shape), "float32")[0].shape[0]


def of_top_k(codec: Any, x: Tensor, told: Tensor) -> None:
    """Of |x|² at most 1 - k/n is lost, Stich et al."""
    of_chosen(codec, x, told)
    k = int((told != 0).sum())
    assert lost(x, told) ** 2 <= (1 - k / x.numel()) * lost(x, x * 0) ** 2 + 1e-6


def of_low_rank(codec: Any, x: Tensor, told: Tensor) -> None:
    assert lost(x, told) <= lost(x, x * 0) * 1.0001
    if min(x.shape[0], x.numel() // x.shape[0]) <= codec.rank:
        assert lost(x, told) <= 1e-4 * lost(x, x * 0)


def of_mask(codec: Any, x: Tensor, told: Tensor) -> None:
    assert bool(((x - told).abs() <= x.abs() + 1e-6).all())


BOUNDS: Mapping[str, Callable[[Any, Tensor, Tensor], None]] = {
    "float16": lambda _codec, x, told: torch.testing.assert_close(told, x, rtol=2**-11, atol=2**-25),
    "bfloat16": lambda _codec, x, told: torch.testing.assert_close(told, x, rtol=2**-8, atol=0),
    "quantise": of_quantise,
    "sign": of_sign,
    "topk": of_top_k,
    "randomk": of_chosen,
    "lowrank": of_low_rank,
    "mask": of_mask,
}


@pytest.mark.parametrize("name", BOUNDS)
@given(shape=SHAPES.filter(lambda s: prod(s) > 0), seed=st.integers(0, 999), data=st.data())
def test_round_trips_are_within_the_bound_of_the_method(
    name: str, shape: tuple[int, ...], seed: int, data: st.DataObject
) -> None:
    codec, x = make_codec(name, **data.draw(SETTINGS[name])), tensor(shape, torch.float32, seed)
    if not codec.leaves(shape, "float32"):
        BOUNDS[name](codec, x, round_trip(codec, x, seed=seed)[1])


def test_a_sketch_finds_what_is_large() -> None:
    x = torch.zeros(1000)
    x[[3, 500, 999]] = torch.tensor([5.0, -7.0, 9.0])
    _, told = round_trip(make_codec("sketch", rows=5, columns=100), x)
    assert torch.equal(told.abs().topk(3).indices.sort().values, torch.tensor([3, 500, 999]))
    assert torch.allclose(told[[3, 500, 999]], torch.tensor([5.0, -7.0, 9.0]))


def test_sketches_add_up() -> None:
    codec, a, b = make_codec("sketch", rows=3, columns=20), torch.randn(50), torch.randn(50)
    (of_a, _), (of_b, _), (of_sum, _) = (round_trip(codec, x) for x in (a, b, a + b))
    assert torch.allclose(of_a["sketch"] + of_b["sketch"], of_sum["sketch"], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("randomk", {"ratio": 0.2}), ("quantise", {"bits": 2, "bucket": 0}), ("quantise", {"bits": 4})],
)
def test_what_is_left_to_chance_is_right_in_the_mean(name: str, settings: dict[str, Any]) -> None:
    codec, x = make_codec(name, **settings), torch.randn(30, generator=torch.Generator().manual_seed(0))
    told = [round_trip(codec, x, is_unbiased=True, seed=seed)[1] for seed in range(4000)]
    assert torch.allclose(torch.stack(told).mean(0), x, atol=0.15)


def test_low_rank_finds_a_matrix_of_that_rank() -> None:
    x = torch.randn(40, 2) @ torch.randn(2, 30)
    _, told = round_trip(make_codec("lowrank", rank=2), x.reshape(40, 5, 6))
    assert torch.allclose(told.reshape(40, 30), x, atol=1e-4)


@pytest.mark.parametrize("feedback", [True, False])
@pytest.mark.parametrize("name", ["topk", "sketch"])
def test_with_feedback_all_that_was_lost_is_sent_in_the_end(name: str, feedback: bool) -> None:
    """Of the same update in every round one entry is sent; the others wait for their turn, or never have it."""
    codec, x = make_codec(name, ratio=0.1, **{"columns": 500} if name == "sketch" else {}), torch.arange(1.0, 11.0)
    compression = Compression(codec, {"w": x}, frozenset({"w"}), seed=0, feedback=feedback)
    sender = SummedUpdates(compression, codec) if isinstance(codec, CountSketch) else Updates(compression)
    told = torch.zeros(10)
    for state in range(200):
        mean = sender.unpacked(sender.packed({"w": x}, state, client=1, model=0), state)
        told += sender.aggregated(mean, model=0)["w"]
    assert torch.allclose(told / 200, x, atol=1) is feedback
    assert int((told != 0).sum()) == (10 if feedback else 1)


@given(bits=st.integers(0, 40) | st.just(8), numbers=st.lists(st.integers(0, 2**40), max_size=30))
def test_numbers_of_any_bits(bits: int, numbers: list[int]) -> None:
    short = torch.tensor([number % 2**bits for number in numbers], dtype=torch.int64)
    packed = in_bits(short, bits)
    assert packed.numel() == -(-len(numbers) * bits // 8)
    assert torch.equal(from_bits(packed, bits, len(numbers)), short)


def test_bits_are_in_the_order_in_which_one_reads_them() -> None:
    assert in_bits(torch.tensor([1, 0, 1]), 1).tolist() == [0b10100000]
    assert in_bits(torch.tensor([5, 2]), 3).tolist() == [0b10101000]


@pytest.mark.parametrize("name", sorted(CODECS))
def test_what_has_diverged_is_packed_all_the_same(name: str) -> None:
    """A course whose numbers overflowed goes on, and its accuracy tells."""
    x = torch.full((6, 5), float("nan"))
    assert round_trip(make_codec(name), x)[1].shape == x.shape
