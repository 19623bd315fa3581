"""Which codecs go with which courses."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fscost.errors import ConfigError
from fscost.protocol import fs_options
from fscost.protocol.codecs import CODECS, LINKS, Codec

if TYPE_CHECKING:
    from fscost.protocol.course_options import Options


def codec_problems(options: "Options") -> Iterator[str]:
    """Yield a line for each codec that makes no sense, alone or with what else the cell asks for."""
    used: dict[str, Codec] = {}
    for link in LINKS:
        try:
            if (codec := options.codec(link)) is not None:
                used[link] = codec
        except ConfigError as error:
            yield from map(str, error.args)
    for link, codec in used.items():
        shown = f"codec.{link}={codec.name}"
        yield from _of_any(options, shown)
        yield from _of_uplink(options, shown, codec) if link == "uplink" else _of_downlink(options, shown, codec)
    yield from _of_feedback(options, used)


def _of_any(options: "Options", shown: str) -> Iterator[str]:
    if options.is_alone:
        yield f"{shown}: method={options.method} sends no model for training; leave the codec out"
    if options["federate.use_ss"]:
        yield f"{shown}: secret shares are numbers that look random, which no codec packs; take one of them"
    if options["quantization.method"] != "none":
        yield f"{shown}: fs.quantization.method packs the same messages in FederatedScope's way; take one of them"


def _of_uplink(options: "Options", shown: str, codec: Codec) -> Iterator[str]:
    if codec.is_summed and (rule := options["aggregator.robust_rule"]) != "fedavg":
        yield f"{shown}: the server adds sketches up, and fs.aggregator.robust_rule={rule} needs each update by itself"


def _of_downlink(options: "Options", shown: str, codec: Codec) -> Iterator[str]:
    """Yield why clients could not unpack a broadcast: all must hold what it is the difference to."""
    cure = "take float16, bfloat16 or quantise, which pack the model itself"
    if codec.is_summed:
        yield f"{shown}: it is the server that unpacks sketches; take topk, as FetchSGD does"
    elif codec.downlink_takes_model:
        return
    elif options["asyn.use"]:
        yield f"{shown}: packs the difference to what all clients hold, and in asynchronous courses they differ; {cure}"
    elif options.clients_per_round < (seen := options.clients - options.unseen_clients):
        yield (
            f"{shown}: packs the difference to what all clients hold, and those not sampled miss broadcasts; {cure}, "
            f"or clients_per_round={seen}"
        )


def _of_feedback(options: "Options", used: Mapping[str, Codec]) -> Iterator[str]:
    said = options["codec.error_feedback"]
    if said is not None and not isinstance(said, bool):
        yield f"codec.error_feedback={said}: must be true, false, or null for as the codec's method has it"
    if said is True and used and all(codec.takes_model(link) for link, codec in used.items()):
        names = " and ".join(codec.name for codec in used.values())
        yield f"codec.error_feedback=true: {names} packs the model itself, so that nothing is left for the next update"


def count_problems(options: "Options") -> Iterator[str]:
    """Yield which codec needs to know how parameters are cut into tensors, where only their number is known."""
    for link in LINKS:
        name = options[f"codec.{link}"]
        if name in CODECS and CODECS[name].needs_tensors:
            yield (
                f"codec.{link}={name}: packs tensor by tensor, and parameters={options['model.spec']['parameters']} "
                "says of none how large it is; give shapes=FILE"
            )


def without_codecs(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yield, in one sentence, which codecs a cell asks for where FederatedScope trains."""
    if asked := [f"{name}={value}" for name, value in fs_options.leaves(tree) if name in fs_options.CODECS]:
        yield (
            f"{', '.join(asked)}: FederatedScope has no codecs; engine=builtin trains with them, "
            "engine=estimate counts them"
        )
