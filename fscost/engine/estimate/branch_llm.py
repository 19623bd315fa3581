"""Which cells of FederatedScope's branch llm have no closed form, or could not run."""

from collections.abc import Iterator

from fscost.errors import ConfigError
from fscost.protocol.adapters import USE, Base, adapters_of, arguments_of
from fscost.protocol.course_options import Options
from fscost.protocol.image_models import is_image_model
from fscost.protocol.language_models import architecture_of
from fscost.protocol.model_shapes import shapes_of


def problems_of_branch_llm(options: Options) -> Iterator[str]:
    """Yield why the messages of a cell are not known, of options that this branch alone has."""
    if (client := options["federate.client_idx_for_local_train"]) and options.clients != 1:
        yield f"fs.federate.client_idx_for_local_train={client}: is a course of that client alone; take clients=1"
    if options[USE]:
        yield from _adapter_problems(options)
    if options.trains_half:
        yield from _half_problems(options)


def _adapter_problems(options: Options) -> Iterator[str]:
    """Yield why nothing can be adapted, or not so."""
    spec, kind = options["model.spec"], options["model.type"]
    if kind != "spec" or not spec:
        yield f"fs.{USE}: model={kind} is not known as a language model; take model=llama_7b or model=spec"
    elif given := next((key for key in ("lora_rank", "parameters") if spec.get(key) is not None), ""):
        yield f"fs.{USE}: model {spec.get('name')} is known by {given}, not by what is adapted; take adapter=none"
    else:
        try:
            config = spec.get("config")
            if config and (is_image_model(config) or not architecture_of(config).is_causal):
                what = f"model {spec['name']} is no causal language model, as branch llm adapts"
                raise ConfigError(f"fs.{USE}: {what}; take adapter=none")
            adapters_of(Base(shapes_of(spec, pads=options.release.adapts), config), arguments_of(options) or {})
        except ConfigError as error:
            yield str(error)


_HALVED = ("fedavg", "fedprox", "fedopt", "sharelocal", "online")
"""Methods of which it is known what is in half precision where clients train in that."""


def _half_problems(options: Options) -> Iterator[str]:
    """Yield why it is not known which messages are in half precision."""
    half = "fs.train.is_enable_half=True"
    if options.global_evaluation:
        yield f"{half}: a server that evaluates halves its own model too; engine=federatedscope runs it"
    for method in options.used_methods:
        if method.name not in _HALVED:
            yield f"{half}: engine=estimate does not know what {method.name} then sends; engine=federatedscope does"
