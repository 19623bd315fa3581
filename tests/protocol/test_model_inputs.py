"""Every engine refuses a model that its data do not fit, with the next step."""

import pytest

from fscost.engine import Engine
from fscost.engine.builtin import BuiltinEngine
from fscost.engine.estimate import EstimateEngine
from fscost.engine.federatedscope import FederatedScopeEngine
from fscost.errors import ConfigError
from tests.conftest import cell_of

ENGINES: list[Engine] = [BuiltinEngine(), EstimateEngine(), FederatedScopeEngine(None)]


def checked(engine: Engine, *overrides: str) -> None:
    engine.check(cell_of("engine=builtin", *overrides))


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["model=convnet2", "fs.data.type=digits_flat"], "takes images, fs.data.type=digits_flat has vectors"),
        (["model=convnet2", "fs.data.type=digits_flat"], "; set fs.data.type=digits"),
        (["model=mlp_m", "fs.data.type=mnist5k"], "takes vectors, fs.data.type=mnist5k has images"),
        (["model=mlp_m", "fs.data.type=mnist5k"], "; set fs.data.type=mnist5k_flat"),
        (["model=lstm", "fs.data.type=mnist5k"], "takes sequences of gray values, fs.data.type=mnist5k has images"),
        (["model=lstm", "fs.data.type=mnist5k"], "; set fs.data.type=digits_seq"),
        (["model=lstm", "data=toy"], "takes sequences of gray values, fs.data.type=toy has vectors; take model=lr"),
        (["model=convnet5", "resize=null"], "needs images of at least 32x32 pixels, fs.data.type=digits has 8x8"),
        (["model=convnet5", "resize=null", "data=mnist5k"], "has 28x28; set resize=32"),
        (["model=convnet5", "fs.data.args=[{resize: 31}]"], "has 31x31; set resize=32"),
        (["model=convnet2", "resize=3"], "images of at least 4x4 pixels, fs.data.type=digits has 3x3; set resize=4"),
        (["model=lr", "resize=0"], "resize=0: must be a whole number of pixels of at least 1"),
        (["model=lr", "resize=big"], "resize=big: must be a whole number"),
        (["model=lstm", "fs.model.in_channels=16"], "in_channels=16: digits_seq has 17 gray values; set it to 17"),
        (["model=lstm", "fs.model.embed_size=0"], "fs.model.embed_size=0: must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(engine: Engine, overrides: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        checked(engine, *overrides)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.pipeline
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)
@pytest.mark.parametrize("data", ["digits", "mnist5k"])
@pytest.mark.parametrize("model", ["lr", "mlp_m", "convnet2", "convnet5"])
def test_a_model_brings_the_form_and_the_size_that_it_takes(engine: Engine, data: str, model: str) -> None:
    checked(engine, f"data={data}", f"model={model}")


def test_vgg11_is_refused_only_where_it_is_broken() -> None:
    """Whether FederatedScope's own is, is asked of the FederatedScope that is there."""
    cell = cell_of("engine=builtin", "model=vgg11", "data=mnist5k")
    BuiltinEngine().check(cell)
    EstimateEngine().check(cell)


def test_data_that_are_not_known_here_are_left_to_federatedscope() -> None:
    checked(ENGINES[2], "model=convnet5", "fs.data.type=femnist", "fs.data.args=[{download: true}]")
