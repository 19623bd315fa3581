"""Which options of methods go together: FederatedScope's own conditions, checked before anything runs."""

from collections.abc import Iterator

from fscost.protocol import fs_options
from fscost.protocol.course_options import Options
from fscost.protocol.release import NEWEST, PROTOCOLS, release_of

_NEEDED_CLIENTS = {"krum": (2, 3), "median": (2, 3), "trimmedmean": (2, 3), "bulyan": (4, 3)}
"""Robust rule → a, b: it holds against f byzantine clients if there are at least a·f + b clients."""

_ARGUMENTS = {
    "krum": "krum_agg_num",
    "trimmedmean": "trimmedmean_excluded_ratio",
    "normbounding": "normbounding_norm_bound",
}
"""Robust rule → the entry of ``aggregator.BFT_args`` that it computes with; FederatedScope has no defaults for them."""


def method_problems(options: Options) -> Iterator[str]:
    """Yield a line for each combination that FederatedScope does not run, or that its release does not have."""
    yield from _absent(options)
    if options["asyn.use"] and not (release := options.release).runs_asyn:
        others = " or ".join(name for name in PROTOCOLS if release_of(name).runs_asyn)
        yield f"fs.asyn.use: FederatedScope {release.name} broadcasts by other rules; take engine.protocol={others}"
    yield from _together(options)
    yield from _shared_secretly(options)
    yield from _robust(options)
    yield from _personal(options)
    if options["fedswa.use"] and not 1 <= options["fedswa.start_rnd"] < options.rounds:
        yield f"fs.fedswa.start_rnd={options['fedswa.start_rnd']}: must be at least 1 and below rounds={options.rounds}"
    if options["federate.join_in_info"] not in ([], ["num_sample"]):
        yield f"fs.federate.join_in_info={options['federate.join_in_info']}: must be [] or [num_sample]"
    if options.is_alone and 0 < options["early_stop.patience"] < options.evaluations:
        yield f"fs.early_stop.patience: with method={options.method} every client stops by itself; set it to 0"


def _absent(options: Options) -> Iterator[str]:
    protocol, newest = options.cell.protocol, NEWEST.protocol
    absent = fs_options.absent(protocol)
    for name, value in fs_options.leaves(options.cell.fs):
        if name in absent and value != fs_options.default(name):
            yield f"fs.{name}={value}: FederatedScope {protocol} has no such option; take engine.protocol={newest}"


def _together(options: Options) -> Iterator[str]:
    """Yield those of which FederatedScope takes only one, and says nothing of the other."""
    used = {
        "fs.asyn.use": options["asyn.use"],
        "fs.aggregator.robust_rule": options["aggregator.robust_rule"] != "fedavg",
        "fs.federate.online_aggr": options["federate.online_aggr"],
        "fs.federate.use_ss": options["federate.use_ss"],
        "FedOpt": options.server_optimizer is not None,
        f"method={options.method}": options.method not in ("fedavg", "fedopt", "fedrep", "ditto"),
    }
    found = [name for name, is_used in used.items() if is_used]
    if len(found) > 1:
        yield f"{found[0]} and {found[1]}: FederatedScope aggregates in one way only; take one of them"
    if options["federate.share_local_model"] and options.method not in ("fedavg", "fedopt"):
        yield f"fs.federate.share_local_model: clients of {options.method} have models of their own; leave it out"


def _shared_secretly(options: Options) -> Iterator[str]:
    if not options["federate.use_ss"]:
        return
    if options.clients_per_round != options.clients:
        yield f"clients_per_round={options.clients_per_round}: secret sharing needs all {options.clients} clients"
    if options.clients < 2:
        yield "clients=1: secret sharing needs at least 2 clients"
    if options["quantization.method"] != "none":
        yield "fs.quantization.method: secret shares are not quantised; take one of them"


def _robust(options: Options) -> Iterator[str]:
    rule, byzantine = options["aggregator.robust_rule"], options["aggregator.byzantine_node_num"]
    times, more = _NEEDED_CLIENTS.get(rule, (0, 0))
    if options.clients < (needed := times * byzantine + more):
        yield f"clients={options.clients}: {rule} against {byzantine} byzantine clients needs at least {needed}"
    if rule == "bulyan" and not 0 < options["federate.sample_client_rate"] <= 1:
        yield (
            "fs.federate.sample_client_rate: FederatedScope computes with it in Bulyan and fails without; "
            "set it, 1.0 for all clients"
        )
    if rule in _ARGUMENTS:
        yield from _argument_problems(options, f"aggregator.BFT_args.{_ARGUMENTS[rule]}")


def _argument_problems(options: Options, name: str) -> Iterator[str]:
    value = options[name]
    if value is None:
        yield f"fs.{name}: FederatedScope fails without it; set it"
    elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        yield f"fs.{name}={value}: must be a number of at least 0"
    elif name.endswith("_ratio") and value >= 0.5:
        yield f"fs.{name}={value}: must be below 0.5"


def _personal(options: Options) -> Iterator[str]:
    if options.method == "fedem" and options.models < 2:
        yield f"fs.model.model_num_per_trainer={options.models}: FedEM mixes at least 2 models"
    counts = {"pfedme": ("K",), "fedrep": ("epoch_linear", "epoch_feature")}.get(options.method, ())
    for name in counts:
        if options[f"personalization.{name}"] < 1:
            yield f"fs.personalization.{name}={options[f'personalization.{name}']}: must be at least 1"
    if options.method in ("ditto", "pfedme", "fedrep") and "train" in options["eval.split"]:
        yield f"fs.eval.split: what {options.method} evaluates of train is not known; take [test,val]"
