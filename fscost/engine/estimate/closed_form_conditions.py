"""Which cells have a closed form: those whose messages do not depend on how training goes."""

from collections.abc import Iterable, Iterator

from fscost.cells import provenance_options
from fscost.cells.cell import Cell
from fscost.cells.names import trains_otherwise_alone
from fscost.engine.estimate.branch_llm import problems_of_branch_llm
from fscost.errors import ConfigError
from fscost.protocol import fs_options, models
from fscost.protocol.adapters import ARGUMENTS, USE
from fscost.protocol.codec_conditions import codec_problems, count_problems
from fscost.protocol.course_options import Options
from fscost.protocol.datasets import DATA_TYPES, SPLITTERS, split_problems
from fscost.protocol.methods import BY_FEDERATE_METHOD, METHODS, method_problems
from fscost.protocol.model_shapes import is_count, shapes_of
from fscost.protocol.release import PROTOCOLS

_DATA = (*DATA_TYPES, "toy", "samples")
_METHODS = (*BY_FEDERATE_METHOD, "fedprox")

_OF_METHODS = tuple(name for method in METHODS if not method.no_closed_form for name in (*method.when, *method.options))
"""Options of methods; what of them is sent, the methods say."""

_WITHOUT_INFLUENCE = (
    "seed", "backend", "data.root", "data.splitter_args",
    "data.consistent_label_distribution", "data.server_holds_all", "dataloader.", "criterion.", "trainer.type",
    "train.", "grad.", "finetune.", "regularizer.", "fedopt.", "aggregator.", "federate.mode", "federate.ignore_weight",
    "federate.data_weighted_aggr", "federate.restore_from", "federate.merge_val_data", "model.task", "model.dropout",
    "eval.count_flops", "eval.best_res_update_round_wise_key", "eval.monitoring", "eval.report", "early_stop.delta",
    "early_stop.improve_indicator_mode", "federate.save_freq", "federate.save_client_model", "llm.tok_len",
    "llm.retry_on_nan_loss", "llm.cache.", "llm.chat.", "llm.adapter.mv_to_cpu", "llm.deepspeed.",
    "llm.offsite_tuning.",
)  # fmt: skip
"""Options, or their first letters, that change neither how many messages are sent nor what is in them."""

_SECTIONS = (*_WITHOUT_INFLUENCE, f"{fs_options.SIZES}.", *(name for name in _OF_METHODS if name.endswith(".")))

_COUNTED = (
    "federate.client_num", "federate.sample_client_num", "federate.sample_client_rate", "federate.total_round_num",
    "federate.unseen_clients_rate", "federate.make_global_eval", "federate.merge_test_data",
    "federate.join_in_info", "data.type", "data.args", "data.splits", "data.splitter", "model.type",
    "model.hidden", "model.layer", "model.in_channels", "model.embed_size", "model.out_channels", "model.use_bias",
    "eval.freq", "eval.metrics", "eval.split", "early_stop.patience", USE, ARGUMENTS,
    "federate.client_idx_for_local_train",
    *fs_options.OWN,
)  # fmt: skip

_TRAINERS = {method.when.get("trainer.type") for method in METHODS}
"""Trainers that are methods known here."""

_TIMING = {name: method.no_closed_form for method in METHODS if method.no_closed_form for name in method.when} | {
    "vertical.use": "messages of vertical and tree learning depend on the data",
    "llm.offsite_tuning.use": "the emulator is sent as a text of pickled code, whose length nothing here tells",
    "llm.deepspeed.use": "DeepSpeed's own configuration decides in which precision it trains",
}
"""Options that are on or off, and why nobody knows beforehand what is sent where they are on."""


def check_options(cell: Cell) -> None:
    """Raise ConfigError for a cell whose messages are not known before it ran, with the reason."""
    problems = [*_depends_on_training(cell)] or [*_not_understood(cell)]
    options = Options(cell)
    problems = problems or [
        *_contradictions(options),
        *method_problems(options),
        *codec_problems(options),
        *_size_problems(cell),
    ]
    if problems:
        raise ConfigError(*problems)


def _size_problems(cell: Cell) -> Iterator[str]:
    if (rounds := cell.get("federate.total_round_num")) > _MOST_ROUNDS:
        yield f"rounds={rounds}: a ledger has lines for each round; take at most {_MOST_ROUNDS:,}"


_MOST_ROUNDS = 10_000_000


def timing_problems(cell: Cell) -> Iterator[str]:
    """Yield why the number of messages depends on more than the options and how long a course went on."""
    for name, why in _TIMING.items():
        if cell.get(name):
            yield f"fs.{name}=True: {why}; engine=federatedscope runs it"


_SENDS_ALL = ("sam_trainer", "local_entropy_trainer")


def trainer_problems(cell: Cell) -> Iterator[str]:
    """Yield why nothing can be estimated with some trainers of FederatedScope; a log of theirs shows what they did."""
    trainer = cell.get("trainer.type")
    if str(trainer).lower() in _SENDS_ALL and trainer not in _TRAINERS:
        yield (
            f"fs.trainer.type={trainer}: uploads all entries of the model, whatever options say, and evaluates test "
            "alone; engine=federatedscope runs it"
        )


def _depends_on_training(cell: Cell) -> Iterator[str]:
    yield from timing_problems(cell)
    options = Options(cell)
    yield from options.unknown_clients()
    patience = options["early_stop.patience"]
    if 0 < patience < options.evaluations and not options["early_stop.stopped_after"]:
        yield (
            f"fs.early_stop.patience={patience}: when {options.evaluations} evaluations stop early depends on "
            "training; set fs.early_stop.patience=0, take engine=builtin, or give the global_convergence_round that a "
            "run logged as fs.early_stop.stopped_after"
        )


def _not_understood(cell: Cell) -> Iterator[str]:
    if cell.protocol not in PROTOCOLS:
        yield f"engine.protocol={cell.protocol}: must be one of {', '.join(PROTOCOLS)}"
    for name, value in fs_options.leaves(cell.fs):
        is_replaced = name.startswith("data.") and cell.get("data.type") == "samples"  # by what is counted alone
        is_known = is_replaced or name in (*_COUNTED, *_OF_METHODS) or name.startswith(_SECTIONS)
        if not is_known and not provenance_options.is_host(name):
            yield f"fs.{name}={value}: engine=estimate does not know what that sends; engine=federatedscope does"


def _contradictions(options: Options) -> Iterator[str]:
    data, model = options["data.type"], options["model.type"]
    if options["trainer.type"] not in _TRAINERS and not trains_otherwise_alone(str(options["trainer.type"])):
        yield f"fs.trainer.type={options['trainer.type']}: engine=estimate does not know what it sends"
    if options.method not in _METHODS:
        yield f"fs.federate.method={options['federate.method']}: {_knows(_METHODS)}"
    if data not in _DATA:
        yield f"fs.data.type={data}: {_knows(_DATA)}"
    elif data not in ("toy", "samples") and options["data.splitter"] not in SPLITTERS:
        yield f"fs.data.splitter={options['data.splitter']}: {_knows(SPLITTERS)}"
    elif data not in ("toy", "samples"):
        yield from split_problems(data, options["data.splits"], options.clients, {"train"})
    yield from _own_problems(options)
    yield from _course_problems(options)
    yield from problems_of_branch_llm(options)
    if model == "spec" and not options[USE]:
        yield from _spec_problems(options)
    elif model != "spec" and model not in models.MODELS:
        yield f"fs.model.type={model}: {_knows(models.MODELS)}"
    yield from models.problems(options.cell)


def _knows(values: Iterable[str]) -> str:
    return f"engine=estimate knows {', '.join(values)}; engine=federatedscope has the others"


def _course_problems(options: Options) -> Iterator[str]:
    """Yield what changes messages of FedAvg's form, and cannot change those of a course."""
    if not any(method.is_course for method in options.used_methods):
        return
    if options["personalization.local_param"] and not any(m.options for m in options.used_methods):
        yield "fs.personalization.local_param: changes nothing of a course; choose tensors there with only and without"
    for link in ("uplink", "downlink"):
        if options[f"codec.{link}"] != "none":
            yield f"codec.{link}: changes nothing of a course; each of its messages can have a codec"
    if options["early_stop.stopped_after"]:
        yield "fs.early_stop.stopped_after: how a course stops early is not known; leave it out"


def _own_problems(options: Options) -> Iterator[str]:
    """Yield what is wrong with options that FederatedScope does not have, the model's shapes apart."""
    data, model = options["data.type"], options["model.type"]
    samples = {f"{split}_samples": options[f"data.{split}_samples"] for split in ("train", "val", "test")}
    given = [name for name in samples if options.cell.get(f"data.{name}") is not None]
    if data == "samples" and model != "spec":
        yield from _shape_problems(options)
    elif options["data.sample_shape"]:
        yield f"fs.data.sample_shape: data {data} with model {model} has its own; take data=samples and another model"
    if data != "samples" and given:
        yield f"fs.data.{given[0]}: data {data} has its own number of samples; take data=samples"
    if min(samples.values()) < 0 or not samples["train_samples"]:
        values = ", ".join(f"{name}={number}" for name, number in samples.items())
        yield f"{values}: must not be negative, and there must be samples to train with"
    if model != "spec" and options["model.spec"]:
        yield f"fs.model.spec: model {model} has its own shapes; take model=spec"
    if options["early_stop.stopped_after"]:
        yield from _stop_problems(options)


def _shape_problems(options: Options) -> Iterator[str]:
    """Yield why a model cannot be made for samples that are only counted."""
    model, shape = options["model.type"], options["data.sample_shape"]
    if shape:
        yield from models.shape_problems(model, shape)
    else:
        yield (
            f"model={model} does not fit data=samples, which has no pixels; take data=digits or model=spec, or give "
            "sample_shape, as sample_shape=[1,28,28]"
        )


def _spec_problems(options: Options) -> Iterator[str]:
    """Yield why the shapes of a model make no sense, or an option that needs more than its number of parameters."""
    spec = options["model.spec"]
    if not spec:
        yield "fs.model.type=spec: needs fs.model.spec; take model=spec with shapes=FILE or parameters=COUNT"
        return
    try:
        shapes_of(spec)
    except ConfigError as error:
        yield str(error)
        return
    for name in ("quantization.method", "personalization.local_param"):
        if is_count(spec) and options.cell.get(name):
            yield f"fs.{name}={options[name]}: chooses tensors by name, which parameters={spec['parameters']} has not"
    if is_count(spec):
        yield from count_problems(options)


def _stop_problems(options: Options) -> Iterator[str]:
    """Yield why a course cannot have stopped after the round that is given."""
    stopped, rounds, every = options["early_stop.stopped_after"], options.rounds, options["eval.freq"]
    patience, given = options["early_stop.patience"], f"fs.early_stop.stopped_after={stopped}"
    if options.global_evaluation:
        yield f"{given}: FederatedScope never stops early where the server evaluates"
    elif options["fedswa.use"] or options.is_alone:
        yield f"{given}: engine=estimate does not know how fs.fedswa.use or methods local and global stop early"
    elif not 1 <= stopped <= rounds or (stopped % every and stopped != rounds):
        yield f"{given}: must be an evaluated round: a multiple of eval_every={every}, at most rounds={rounds}"
    elif not 0 < patience < -(-stopped // every):
        yield f"{given}: fs.early_stop.patience={patience} does not stop at evaluation {-(-stopped // every)}"
