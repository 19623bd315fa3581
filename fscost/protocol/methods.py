"""The methods that the builtin and the estimate engine know: how a cell asks for one, and what differs with it.

A new method is a new `Method` in `METHODS`; what a client or the server computes is named after it in the builtin
engine's ``local_update.py`` or ``aggregation.py``. FederatedScope's interpreter imports this: Python 3.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from fscost.protocol.release import PROTOCOLS, release_of

if TYPE_CHECKING:
    from fscost.protocol.course_options import Options

OPTIMIZERS = ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop")
"""The values of ``….optimizer.type``."""

ANY = None


def _none(_options: Options) -> Iterator[str]:
    """Yield nothing: no condition."""
    return iter(())


@dataclass(frozen=True)
class Method:
    """A method, in the terms of FederatedScope's options.

    One of the options `when` switches it on, by its value. `options` are those that it reads beside them, with the
    values that are understood, None for any; a name that ends with a dot stands for all below it. `problems` yields a
    line for each value that FederatedScope does not run it with.

    `uploads` says of an entry of the state_dict, by its name, whether clients upload it; the server sends all entries
    all the same. With `shares` False nothing is sent for training. `uploads_differences` is whether an upload is the
    difference to the model that was received. `models` is the option that says how many models travel at once.

    A local update passes over the samples as often as the options `passes` say together, and uses each batch as often
    in a row as the option `repeats` says; where these are empty, as ``train.local_update_steps`` says.

    Messages of another form than FedAvg's are those of a `course` in ``conf/courses``.

    `is_own` says that FederatedScope has no such method, and would train as FedAvg; `sends_models` False that other
    things travel than models; `keeps_down` that the server sends nothing of what stays local either.

    `aggregates` is what a refusal calls its aggregation, where that goes with no other one. `no_closed_form` says why
    its messages are not known before it ran.
    """

    name: str
    when: Mapping[str, Any]
    options: Mapping[str, tuple[Any, ...] | None] = field(default_factory=dict)
    problems: Callable[[Options], Iterator[str]] = _none
    uploads: Callable[[str], bool] = lambda _name: True
    shares: bool = True
    uploads_differences: bool = False
    models: str = ""
    passes: tuple[str, ...] = ()
    repeats: str = ""
    course: str = ""
    is_own: bool = False
    sends_models: bool = True
    keeps_down: bool = False
    aggregates: str = ""
    no_closed_form: str = ""

    @property
    def federate_method(self) -> str:
        """The value of ``federate.method`` that means it, empty for one that is switched on beside any of these."""
        return str(self.when.get("federate.method", ""))

    @property
    def is_course(self) -> bool:
        """Whether its messages are those of a course: its own, or one that the cell names."""
        return bool(self.course) or self.name == "spec"

    def is_used(self, options: Options) -> bool:
        """Return whether a cell asks for it; FederatedScope does not mind the case of ``federate.method``."""
        if self.federate_method and options.method == self.federate_method.lower():
            return True
        return any(options[name] == value for name, value in self.when.items() if name != "federate.method")


_MOST_SHARES, _MOST_MODELS = 1_000_000, 1000
"""Far above any course's: each client, and each model, is named in a message."""


# --- conditions -----------------------------------------------------------------------------------


def _asyn(options: Options) -> Iterator[str]:
    if not (release := options.release).runs_asyn:
        others = " or ".join(name for name in PROTOCOLS if release_of(name).runs_asyn)
        yield f"fs.asyn.use: FederatedScope {release.name} broadcasts by other rules; take engine.protocol={others}"


def _secretly_shared(options: Options) -> Iterator[str]:
    if options.clients_per_round != options.clients:
        yield f"clients_per_round={options.clients_per_round}: secret sharing needs all {options.clients} clients"
    if options.clients < 2:
        yield "clients=1: secret sharing needs at least 2 clients"
    if options.clients > _MOST_SHARES:
        yield f"clients={options.clients}: in secret sharing each sends to each; take at most {_MOST_SHARES:,}"
    if options["quantization.method"] != "none":
        yield "fs.quantization.method: secret shares are not quantised; take one of them"


def _needs_clients(options: Options, times: int, more: int) -> Iterator[str]:
    """Yield whether a robust rule has too few clients: against f byzantine ones it holds with `times` · f + `more`."""
    rule, byzantine = options["aggregator.robust_rule"], options["aggregator.byzantine_node_num"]
    if options.clients < (needed := times * byzantine + more):
        yield f"clients={options.clients}: {rule} against {byzantine} byzantine clients needs at least {needed}"


def _krum(options: Options) -> Iterator[str]:
    yield from _needs_clients(options, 2, 3)
    yield from _argument(options, "aggregator.BFT_args.krum_agg_num")


def _median(options: Options) -> Iterator[str]:
    yield from _needs_clients(options, 2, 3)


def _trimmed_mean(options: Options) -> Iterator[str]:
    yield from _needs_clients(options, 2, 3)
    yield from _argument(options, "aggregator.BFT_args.trimmedmean_excluded_ratio")


def _norm_bounded(options: Options) -> Iterator[str]:
    yield from _argument(options, "aggregator.BFT_args.normbounding_norm_bound")


def _bulyan(options: Options) -> Iterator[str]:
    yield from _needs_clients(options, 4, 3)
    if not 0 < options["federate.sample_client_rate"] <= 1:
        yield (
            "fs.federate.sample_client_rate: FederatedScope computes with it in Bulyan and fails without; "
            "set it, 1.0 for all clients"
        )


def _argument(options: Options, name: str) -> Iterator[str]:
    """Yield what is wrong with an argument of a robust rule, for which FederatedScope has no default."""
    value = options[name]
    if value is None:
        yield f"fs.{name}: FederatedScope fails without it; set it"
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        yield f"fs.{name}={value}: must be a number of at least 0"
    elif name.endswith("_ratio") and value >= 0.5:
        yield f"fs.{name}={value}: must be below 0.5"


def _fedem(options: Options) -> Iterator[str]:
    if options.models < 2:
        yield f"fs.model.model_num_per_trainer={options.models}: FedEM mixes at least 2 models"
    elif options.models > _MOST_MODELS:
        yield f"fs.model.model_num_per_trainer={options.models}: each model is sent; take at most {_MOST_MODELS:,}"


def _ditto(options: Options) -> Iterator[str]:
    if "train" in options["eval.split"]:
        yield f"fs.eval.split: what {options.method} evaluates of train is not known; take [test,val]"


def _pfedme(options: Options) -> Iterator[str]:
    yield from _at_least_1(options, "personalization.K")
    yield from _ditto(options)


def _fedrep(options: Options) -> Iterator[str]:
    yield from _at_least_1(options, "personalization.epoch_linear", "personalization.epoch_feature")
    yield from _ditto(options)


def _at_least_1(options: Options, *names: str) -> Iterator[str]:
    yield from (f"fs.{name}={options[name]}: must be at least 1" for name in names if options[name] < 1)


def _fedswa(options: Options) -> Iterator[str]:
    if not 1 <= options["fedswa.start_rnd"] < options.rounds:
        yield f"fs.fedswa.start_rnd={options['fedswa.start_rnd']}: must be at least 1 and below rounds={options.rounds}"


def _fedpt(options: Options) -> Iterator[str]:
    if not options["personalization.local_param"]:
        yield "fs.personalization.local_param: FedPT freezes the entries that it names; set it, or frozen=[NAME]"
    yield from _without_codecs(options)
    if options["nbafl.use"]:
        yield "fs.nbafl.use: its noise would change what FedPT freezes; take one of them"


def _scaffold(options: Options) -> Iterator[str]:
    if str(options.optimizer["type"]) != "SGD":
        yield f"fs.train.optimizer.type={options.optimizer['type']}: SCAFFOLD corrects steps of SGD; take SGD"
    yield from _without_codecs(options)


def _fedproto(options: Options) -> Iterator[str]:
    if options["criterion.type"] != "CrossEntropyLoss":
        yield f"fs.criterion.type={options['criterion.type']}: FedProto has prototypes of classes; take data=digits"
    if options["federate.make_global_eval"] or options["federate.merge_test_data"]:
        yield "fs.federate.make_global_eval: FedProto's server has no model to evaluate; leave it out"
    yield from _without_codecs(options)


def _without_codecs(options: Options) -> Iterator[str]:
    for link in ("uplink", "downlink"):
        if (codec := options[f"codec.{link}"]) != "none":
            yield f"codec.{link}={codec}: not with method={options.method}, which sends other than models; leave it out"


def _alone(options: Options) -> Iterator[str]:
    if 0 < options["early_stop.patience"] < options.evaluations:
        yield f"fs.early_stop.patience: with method={options.method} every client stops by itself; set it to 0"


# --- the methods ----------------------------------------------------------------------------------

_ROBUST = {"aggregator.byzantine_node_num": ANY, "aggregator.BFT_args.": ANY}
_ROBUST_RULE = "fs.aggregator.robust_rule"


def _robust(name: str, problems: Callable[[Options], Iterator[str]]) -> Method:
    return Method(
        name, {"aggregator.robust_rule": name}, _ROBUST, problems, uploads_differences=True, aggregates=_ROBUST_RULE
    )


_PERSONAL = {
    "personalization.local_param": ANY,  # with it FedAvg is FedBN or FedPer
    "personalization.share_non_trainable_para": ANY,
}

METHODS = (
    Method("fedavg", {"federate.method": "FedAvg"}, _PERSONAL),
    Method("fedprox", {"fedprox.use": True}, {"fedprox.mu": ANY}),
    Method(
        "asyn",
        {"asyn.use": True},
        {
            "asyn.min_received_num": ANY,
            "asyn.min_received_rate": ANY,
            "asyn.staleness_toleration": ANY,
            "asyn.staleness_discount_factor": ANY,
            "asyn.aggregator": ("goal_achieved",),
            "asyn.broadcast_manner": ("after_aggregating", "after_receiving"),
        },
        _asyn,
        uploads_differences=True,
        aggregates="fs.asyn.use",
        no_closed_form="in asynchronous courses the number of messages depends on timing",
    ),
    _robust("krum", _krum),
    _robust("median", _median),
    _robust("trimmedmean", _trimmed_mean),
    _robust("normbounding", _norm_bounded),
    _robust("bulyan", _bulyan),
    Method("online", {"federate.online_aggr": True}, aggregates="fs.federate.online_aggr"),
    Method("ss", {"federate.use_ss": True}, {}, _secretly_shared, aggregates="fs.federate.use_ss"),
    Method(
        "fedopt",
        {"federate.method": "FedOpt", "fedopt.use": True},
        {"fedopt.optimizer.type": OPTIMIZERS, "fedopt.optimizer.": ANY},
        aggregates="FedOpt",
    ),
    Method("sharelocal", {"federate.share_local_model": True}),
    Method("quant", {"quantization.method": "uniform"}, {"quantization.nbits": (8, 16)}),
    Method("nbafl", {"nbafl.use": True}, dict.fromkeys(
        ["nbafl.mu", "nbafl.epsilon", "nbafl.w_clip", "nbafl.constant"], ANY)),
    Method(
        "fedrep",
        {"federate.method": "FedRep"},
        dict.fromkeys(
            ["personalization.epoch_feature", "personalization.epoch_linear", "personalization.lr_feature",
             "personalization.lr_linear", "personalization.weight_decay"], ANY),
        _fedrep,
        passes=("personalization.epoch_linear", "personalization.epoch_feature"),
    ),
    Method(
        "ditto",
        {"federate.method": "Ditto"},
        {"personalization.local_update_steps": ANY, "personalization.regular_weight": ANY},
        _ditto,
    ),
    Method(
        "pfedme",
        {"federate.method": "pFedMe"},
        dict.fromkeys(["personalization.lr", "personalization.regular_weight", "personalization.K",
                       "personalization.beta"], ANY),
        _pfedme,
        repeats="personalization.K",
        aggregates="method=pfedme",
    ),
    Method(
        "fedem",
        {"federate.method": "FedEM"},
        {"model.model_num_per_trainer": ANY},
        _fedem,
        models="model.model_num_per_trainer",
        aggregates="method=fedem",
    ),
    Method("fedswa", {"fedswa.use": True}, {"fedswa.start_rnd": ANY, "fedswa.freq": ANY}, _fedswa),
    Method("spec", {"federate.method": "spec"}, is_own=True, aggregates="method=spec"),
    Method(
        "fedpt",
        {"federate.method": "FedPT"},
        {"personalization.local_param": ANY},
        _fedpt,
        keeps_down=True,
        is_own=True,
    ),
    Method(
        "scaffold",
        {"federate.method": "SCAFFOLD"},
        {},
        _scaffold,
        course="scaffold",
        is_own=True,
        aggregates="method=scaffold",
    ),
    Method(
        "fedproto",
        {"federate.method": "FedProto"},
        {"personalization.regular_weight": ANY},
        _fedproto,
        uploads=lambda _name: False,
        course="fedproto",
        is_own=True,
        sends_models=False,
        aggregates="method=fedproto",
    ),
    Method("local", {"federate.method": "local"}, {}, _alone, shares=False, aggregates="method=local"),
    Method("global", {"federate.method": "global"}, {}, _alone, shares=False, aggregates="method=global"),
)  # fmt: skip

BY_FEDERATE_METHOD = {method.federate_method.lower(): method for method in METHODS if method.federate_method}
"""The methods that ``federate.method`` names, by its value in small letters."""

OF_FEDERATEDSCOPE = {name: method for name, method in BY_FEDERATE_METHOD.items() if not method.is_own}
"""Those that FederatedScope has."""

ALSO_NAMED = ("fedprox", "fedbn", "fedswa")
"""Other names that configurations give as ``federate.method``; FederatedScope trains as FedAvg then."""

WITHOUT_MODEL = tuple(name for name, method in BY_FEDERATE_METHOD.items() if not method.shares)
"""Methods that send no model for training."""


_SWITCHED_OFF: Mapping[str, tuple[Any, ...]] = {"aggregator.robust_rule": ("fedavg",), "quantization.method": ("none",)}
"""The values of options that name a method where they name none."""


def understood(beside: Mapping[str, tuple[Any, ...] | None]) -> dict[str, tuple[Any, ...] | None]:
    """Return the options of all methods and those `beside` them, with the values that are understood, None for any."""
    found = {**_SWITCHED_OFF, **beside}
    for method in METHODS:
        found.update(method.options)
        for name, value in method.when.items():
            found[name] = ANY if value is True else (*(found.get(name) or ()), value)
    return found


def method_problems(options: Options) -> Iterator[str]:
    """Yield a line for each combination that FederatedScope does not run, or that its release does not have."""
    yield from options.absent()
    used = options.used_methods
    yield from _together(options, used)
    for method in used:
        yield from method.problems(options)
    if options["federate.join_in_info"] not in ([], ["num_sample"]):
        yield f"fs.federate.join_in_info={options['federate.join_in_info']}: must be [] or [num_sample]"


def _together(options: Options, used: list[Method]) -> Iterator[str]:
    """Yield those of which FederatedScope takes only one, and says nothing of the other."""
    found = [method.aggregates for method in used if method.aggregates]
    found += [] if options.method in BY_FEDERATE_METHOD else [f"method={options.method}"]
    if len(found) > 1:
        yield f"{found[0]} and {found[1]}: FederatedScope aggregates in one way only; take one of them"
    if courses := [method for method in used if method.is_course]:
        for method in used:
            if method not in courses:
                yield f"method={courses[0].name}: all that travels is its own, so that {method.name} cannot go with it"
    if options["federate.share_local_model"] and options.method not in ("fedavg", "fedopt"):
        yield f"fs.federate.share_local_model: clients of {options.method} have models of their own; leave it out"
