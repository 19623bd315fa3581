"""State_dicts in closed form against the modules of torch: the same entries in the same order, or none of both."""

import sys
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fscost.cells.cell import Cell
from fscost.engine.estimate.message_contents import MetaTensor
from fscost.metering import Message, meter
from fscost.metering.content import measure_content
from fscost.protocol.course_options import Options
from fscost.protocol.model_shapes import ITEM_BYTES
from fscost.protocol.models import Shape, state_dict_of
from tests.conftest import cell_of

torch = pytest.importorskip("torch", reason="needs torch: pip install 'fscost[train]'")

ODD = st.sampled_from([-3, -1, 0, 1, 2, 7, 64, 1000, 10**6, 10**13, 2**62])
SIZES = st.integers(1, 300) | ODD
EDGES = st.integers(1, 100)
SAMPLES = {
    "lr": st.lists(st.integers(1, 2000), min_size=1, max_size=3),
    "mlp": st.lists(st.integers(1, 2000), min_size=1, max_size=3),
    "convnet2": st.tuples(st.integers(1, 5), EDGES, EDGES),
    "convnet5": st.tuples(st.integers(1, 5), EDGES, EDGES),
    "vgg11": st.tuples(st.integers(1, 5), EDGES, EDGES),
    "lstm": st.lists(st.integers(1, 100), min_size=1, max_size=1),
}
MODELS = st.sampled_from(sorted(SAMPLES)).flatmap(lambda name: st.tuples(st.just(name), SAMPLES[name]))
CHOICES = st.fixed_dictionaries(
    {
        "hidden": SIZES,
        "out_channels": SIZES,
        "layer": st.integers(-1, 5),
        "in_channels": SIZES,
        "embed_size": SIZES,
        "use_bias": st.booleans(),
        "dropout": st.sampled_from([0.0, 0.3, 1.0, -0.5, 2.0]),
    }
)
USUAL = {
    "hidden": 8,
    "out_channels": 10,
    "layer": 2,
    "in_channels": 9,
    "embed_size": 4,
    "use_bias": True,
    "dropout": 0.0,
}


@cache
def any_cell() -> Cell:
    return cell_of("engine=estimate")


def of_closed_form(options: Options, sample: tuple[int, ...]) -> list[Shape] | None:
    try:
        found = state_dict_of(options, sample)
        for one in found:
            MetaTensor(one.shape, one.dtype)
    except ValueError:
        return None
    return found


def of_module(options: Options, sample: tuple[int, ...]) -> list[Shape] | None:
    from fscost.engine.builtin.modules import build_model

    try:
        with torch.device("meta"):
            module = build_model(options, torch.empty(sample))
    except (ValueError, RuntimeError, TypeError):  # torch has one of them for each way of being wrong
        return None
    trainable = {name for name, p in module.named_parameters() if p.requires_grad}
    entries = module.state_dict().items()
    return [Shape(n, tuple(v.shape), str(v.dtype).removeprefix("torch."), n in trainable) for n, v in entries]


@pytest.mark.filterwarnings("ignore:Initializing zero-element", "ignore:dropout option adds dropout")
@settings(max_examples=400, derandomize=True, database=None)
@given(model=MODELS, choices=CHOICES)
@example(model=("mlp", [64]), choices=USUAL | {"layer": 40})
@example(model=("lstm", [64]), choices=USUAL)
@example(model=("lstm", [64]), choices=USUAL | {"dropout": 1.5})
@example(model=("lstm", [64]), choices=USUAL | {"hidden": 0})
@example(model=("convnet5", (3, 32, 32)), choices=USUAL)
@example(model=("vgg11", (3, 33, 64)), choices=USUAL)
def test_the_closed_form_is_the_modules_state_dict(model: tuple[str, Any], choices: dict[str, Any]) -> None:
    name, sample = model
    cell = any_cell()
    options = Options(replace(cell, fs={**cell.fs, "model": {"type": name} | choices}))
    assert of_closed_form(options, tuple(sample)) == of_module(options, tuple(sample))


@pytest.mark.parametrize("shape", [(), (0,), (3,), (5, 1, 7), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", ITEM_BYTES)
def test_a_tensor_without_data_is_metered_as_torchs(dtype: str, shape: tuple[int, ...]) -> None:
    ours, theirs = MetaTensor(shape, dtype), torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
    assert measure_content(ours) == measure_content(theirs)
    assert (ours.numel(), ours.element_size(), ours.is_floating_point()) == (
        theirs.numel(), theirs.element_size(), theirs.is_floating_point(),
    )  # fmt: skip
    for msg_type in ("model_para", "evaluate"):
        for pickled in (True, False):
            for pack in (lambda tensor: {"w": tensor}, lambda tensor: (3, [{"w": tensor}]), lambda tensor: tensor):
                sizes = [meter(Message(msg_type, 0, (1,), 0, pack(t)), pickled=pickled) for t in (ours, theirs)]
                if (dtype, shape) == ("int64", ()):  # a counter, of which the estimate knows the value
                    sizes = [one._replace(wire_bytes=None) for one in sizes]
                if sys.version_info >= (3, 12):  # whose asizeof of tensors is not FederatedScope's
                    sizes = [one._replace(reported_bytes=None) for one in sizes]
                assert sizes[0] == sizes[1], (msg_type, pickled)


def test_a_counter_is_sent_as_the_zero_that_it_is() -> None:
    ours, theirs = ({"n": counter} for counter in (MetaTensor((), "int64"), torch.zeros((), dtype=torch.int64)))
    for pickled in (True, False):
        sent = [meter(Message("evaluate", 0, (1,), 0, content), pickled=pickled) for content in (ours, theirs)]
        assert sent[0].wire_bytes == sent[1].wire_bytes is not None


@pytest.mark.parametrize("shape", [(-1,), (3, -2), (2**61, 4), (10**20,)])
def test_what_torch_makes_no_tensor_of_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="torch makes no tensor of the shape"):
        MetaTensor(shape)
    with pytest.raises((RuntimeError, TypeError)):
        torch.empty(shape, device="meta")
