"""The closed forms of codecs, by pocket calculator."""

from dataclasses import fields
from math import ceil, log2, prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fscost.errors import ConfigError
from fscost.protocol import fs_options
from fscost.protocol.codecs import CODECS, bytes_of, codec_of, make_codec, without_unread
from fscost.protocol.models import Shape

WEIGHT = (64, 3, 7, 7)  # 9,408 elements


@pytest.mark.parametrize(
    ("name", "settings", "nbytes"),
    [
        ("float16", {}, 2 * 9408),
        ("bfloat16", {}, 2 * 9408),
        ("quantise", {"bits": 4, "bucket": 512}, 9408 * 4 // 8 + 4 * 19),
        ("quantise", {"bits": 3, "bucket": 0}, 3528 + 4),
        ("sign", {}, 1176 + 4),
        ("sign", {"scale": False}, 1176),
        ("topk", {"ratio": 0.01}, 94 * (4 + 4)),
        ("topk", {"ratio": 0.01, "index": "packed"}, 94 * 4 + ceil(94 * 14 / 8)),  # 2^14 = 16,384
        ("topk", {"ratio": 0.01, "index": "bitmap"}, 94 * 4 + 1176),
        ("topk", {"ratio": 0.01, "index": "smallest"}, 94 * 4 + 165),
        ("topk", {"ratio": 0.5, "index": "smallest"}, 4704 * 4 + 1176),
        ("randomk", {"ratio": 0.01}, 94 * 4 + 4),
        ("lowrank", {"rank": 4}, 4 * (64 + 147) * 4),
        ("lowrank", {"rank": 100}, 64 * (64 + 147) * 4),
        ("sketch", {"rows": 5, "columns": 200}, 5 * 200 * 4),
        ("sketch", {"rows": 3, "ratio": 0.01}, 3 * 940 * 4),
        ("mask", {}, 1176),
    ],
)
def test_bytes_of_a_convolution(name: str, settings: dict[str, Any], nbytes: int) -> None:
    assert make_codec(name, **settings).nbytes(WEIGHT) == nbytes


@pytest.mark.parametrize("name", CODECS)
def test_integers_and_buffers_and_nothing_travel_as_they_are(name: str) -> None:
    codec, buffer = make_codec(name), Shape("running_mean", (64,), trainable=False)
    assert codec.nbytes((), "int64") == 8
    assert codec.nbytes((0, 7)) == 0
    assert [*codec.sent([buffer])] == [buffer]


def test_low_rank_leaves_vectors() -> None:
    assert make_codec("lowrank").nbytes((64,)) == make_codec("lowrank").nbytes((64,), "float32") == 256
    assert make_codec("lowrank").nbytes(()) == 4


def test_values_have_the_bytes_of_their_type() -> None:
    assert make_codec("topk", ratio=0.5).nbytes((8,), "float64") == 4 * (8 + 4)
    assert make_codec("topk", ratio=0.5).nbytes((8,), "bfloat16") == 4 * (2 + 4)
    assert make_codec("lowrank", rank=1).nbytes((8, 8), "float16") == 16 * 2


@given(ratio=st.integers(1, 100), n=st.integers(1, 10**12))
def test_a_decimal_ratio_is_meant_exactly(ratio: int, n: int) -> None:
    """0.07 · 100 is 7.000000000000001 in floats, and 0.29 · 100 28.999999999999996."""
    expected = max(1, ratio * n // 100)
    assert make_codec("topk", ratio=ratio / 100, index="packed").packed((n,), "float32")[0].shape == (expected,)


@given(n=st.integers(2, 10**12))
def test_positions_have_as_many_bits_as_they_need(n: int) -> None:
    codec = make_codec("topk", ratio=1e-9, index="packed")
    k = max(1, n // 10**9)
    bits = next(b for b in range(60) if 2**b >= n)
    assert codec.nbytes((n,)) == 4 * k + ceil(k * bits / 8)
    assert n >= 2**48 or bits == ceil(log2(n))


def test_a_tensor_that_int32_cannot_count_through() -> None:
    with pytest.raises(ConfigError, match=r"index=int32: counts to 2,147,483,647.*take packed"):
        make_codec("topk").nbytes((2**31,))
    assert make_codec("topk", ratio=1e-9, index="smallest").nbytes((2**31,)) == 2 * 4 + 8  # 2 positions of 31 bits


def test_a_sketch_is_one_of_all_parameters() -> None:
    entries = [Shape("a", (10, 10)), Shape("count", (), "int64", trainable=False), Shape("b", (7,))]
    sent = [*make_codec("sketch", rows=2, columns=8).sent(entries)]
    assert [one.name for one in sent] == ["count", "sketch"]
    assert bytes_of(sent) == 8 + 2 * 8 * 4
    assert [*make_codec("sketch").sent([entries[1]])] == [entries[1]]


@given(st.sampled_from(sorted(CODECS)), st.lists(st.lists(st.integers(0, 40), max_size=4), max_size=5))
def test_a_message_is_the_sum_of_its_tensors(name: str, shapes: list[list[int]]) -> None:
    codec = make_codec(name)
    if not codec.is_summed:
        entries = [Shape(f"w{n}", tuple(shape)) for n, shape in enumerate(shapes)]
        assert bytes_of(codec.sent(entries)) == sum(codec.nbytes(one.shape) for one in entries)
        assert len({one.name for one in codec.sent(entries)}) == len([*codec.sent(entries)])
        assert prod([]) == 1


def test_options_of_cells_have_the_defaults_of_codecs() -> None:
    of_codecs = {f"codec.{field.name}": field.default for codec in CODECS.values() for field in fields(codec)}
    shared = {name: value for name, value in fs_options.CODECS.items() if name in of_codecs}
    assert shared == of_codecs
    assert {*fs_options.CODECS} - {*of_codecs} == {"codec.uplink", "codec.downlink", "codec.error_feedback"}


@pytest.mark.parametrize(
    ("given_options", "words"),
    [
        ({"codec.uplink": "top_k"}, "codec.uplink=top_k: must be one of none, float16.*topk"),
        ({"codec.uplink": "topk", "codec.ratio": 0}, "codec.ratio=0: must be above 0 and at most 1"),
        ({"codec.uplink": "topk", "codec.ratio": True}, "codec.ratio=True"),
        ({"codec.uplink": "topk", "codec.index": "int64"}, "codec.index=int64: must be one of int32, packed"),
        ({"codec.uplink": "quantise", "codec.bits": 1}, "codec.bits=1: must be a whole number from 2 to 16"),
        ({"codec.uplink": "quantise", "codec.bucket": -1}, "codec.bucket=-1"),
        ({"codec.uplink": "quantise", "codec.stochastic": 1}, "codec.stochastic=1: must be true or false"),
        ({"codec.uplink": "lowrank", "codec.rank": 0}, "codec.rank=0"),
        ({"codec.uplink": "sketch", "codec.rows": 0}, "codec.rows=0"),
        ({"codec.uplink": "mask", "codec.step": float("nan")}, "codec.step=nan"),
    ],
)
def test_what_makes_no_codec_is_refused(given_options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        codec_of(lambda name: (fs_options.CODECS | given_options)[name], "uplink")


def test_a_setting_that_a_codec_does_not_have() -> None:
    with pytest.raises(ConfigError, match="rang: codec lowrank has no such setting .did you mean rank"):
        make_codec("lowrank", rang=3)
    with pytest.raises(ConfigError, match="topp: there is no such codec .did you mean topk"):
        make_codec("topp")


@pytest.mark.parametrize(
    ("name", "meant"), [("PowerSGD", "lowrank"), ("fp16", "float16"), ("Top-K", "topk"), ("quantize", "quantise")]
)
def test_names_of_papers_are_understood_when_they_are_refused(name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: there is no such codec .did you mean {meant}"):
        make_codec(name)


def test_what_no_codec_reads_is_no_part_of_a_cell() -> None:
    flat = {"seed": 1, "codec.uplink": "none", "codec.downlink": "lowrank", "codec.rank": 3, "codec.ratio": 0.1}
    assert without_unread(flat) == {name: value for name, value in flat.items() if name != "codec.ratio"}
    assert without_unread({"codec.error_feedback": True, "codec.uplink": "none"}) == {"codec.uplink": "none"}


def resnet18() -> list[Shape]:
    """ResNet-18 as it is trained on CIFAR-10: a first convolution of 3x3, four stages of two blocks, ten classes."""
    shapes = [(64, 3, 3, 3), (64,), (64,)]
    for inputs, width in ((64, 64), (64, 128), (128, 256), (256, 512)):
        for first in (inputs, width):
            shapes += [(width, first, 3, 3), (width,), (width,), (width, width, 3, 3), (width,), (width,)]
        shapes += [(width, inputs, 1, 1), (width,), (width,)] if inputs != width else []
    return [Shape(f"p{n}", shape) for n, shape in enumerate([*shapes, (10, 512), (10,)])]


@pytest.mark.parametrize(("rank", "floats"), [(1, 45_935), (2, 82_260), (4, 154_910)])
def test_low_rank_is_what_powersgd_prints_of_resnet18(rank: int, floats: int) -> None:
    """4.205, 7.531 and 14.182 MiB in the 24 steps of an epoch, printed as 4, 8 and 14 MB."""
    assert sum(prod(one.shape) for one in resnet18()) == 11_173_962
    assert bytes_of(make_codec("lowrank", rank=rank).sent(resnet18())) == 4 * floats


def test_signs_without_a_scale_are_what_powersgd_prints_of_signum() -> None:
    nbytes = bytes_of(make_codec("sign", scale=False).sent(resnet18()))
    assert round(24 * nbytes / 2**20, 2) == 31.97
