"""Which cells the builtin engine can train: the options that it understands, and what goes together."""

from collections.abc import Iterator
from typing import Any

from fscost.cells import provenance_options
from fscost.cells.cell import Cell
from fscost.printable import plural
from fscost.protocol import datasets, fs_options, models
from fscost.protocol.codec_conditions import codec_problems
from fscost.protocol.course_options import Options
from fscost.protocol.methods import ANY, OPTIMIZERS, method_problems, understood
from fscost.protocol.release import PROTOCOLS

METRICS = ("loss", "avg_loss", "total", "acc", "correct", "f1", "mse", "rmse", "loss_regular")
"""What an evaluation can say; the first three it always says, as in FederatedScope."""

_OF_ALL: dict[str, tuple[Any, ...] | None] = {
    **dict.fromkeys(fs_options.CODECS, ANY),
    "seed": ANY,
    "backend": ("torch",),
    "federate.client_num": ANY,
    "federate.sample_client_num": ANY,
    "federate.sample_client_rate": ANY,
    "federate.total_round_num": ANY,
    "federate.mode": ("standalone",),
    "federate.join_in_info": ANY,
    "federate.unseen_clients_rate": ANY,
    "federate.make_global_eval": ANY,
    "federate.merge_test_data": ANY,
    "federate.ignore_weight": ANY,
    "data.type": (*datasets.DATA_TYPES, "toy"),
    "data.args": ANY,
    "data.root": ANY,
    "data.splits": ANY,
    "data.splitter": (*datasets.SPLITTERS, ""),
    "data.splitter_args": ANY,
    "data.consistent_label_distribution": ANY,
    "dataloader.type": ("base",),
    "dataloader.batch_size": ANY,
    "dataloader.shuffle": ANY,
    "dataloader.drop_last": ANY,
    "model.type": tuple(models.MODELS),
    "model.in_channels": ANY,
    "model.embed_size": ANY,
    "model.hidden": ANY,
    "model.layer": ANY,
    "model.dropout": ANY,
    "model.out_channels": ANY,
    "model.use_bias": ANY,
    "model.task": ANY,
    "criterion.type": ("CrossEntropyLoss", "MSELoss"),
    "trainer.type": ("general", "cvtrainer"),
    "train.local_update_steps": ANY,
    "train.batch_or_epoch": ("batch", "epoch"),
    "train.optimizer.type": OPTIMIZERS,
    "grad.grad_clip": ANY,
    "finetune.before_eval": ANY,
    "finetune.local_update_steps": ANY,
    "finetune.batch_or_epoch": ("batch", "epoch"),
    "finetune.optimizer.type": OPTIMIZERS,
    "early_stop.patience": ANY,
    "early_stop.delta": ANY,
    "early_stop.improve_indicator_mode": ("best",),
    "eval.freq": ANY,
    "eval.metrics": ANY,
    "eval.split": ANY,
    "eval.count_flops": ANY,
    "eval.best_res_update_round_wise_key": ANY,
    "train.optimizer.": ANY,
    "finetune.optimizer.": ANY,
}
"""Options that are understood whatever the method; a name that ends with a dot stands for all below it."""

_UNDERSTOOD = understood(_OF_ALL)


def refusals(cell: Cell) -> list[str]:
    """Return a line for each option that this engine does not understand, or else for each that does not fit."""
    options = Options(cell)
    problems = [*fs_options.not_federatedscopes(cell.fs)] or [*_not_understood(cell)]
    return problems or [*_contradictions(options), *method_problems(options), *codec_problems(options)]


def _not_understood(cell: Cell) -> Iterator[str]:
    """Yield a line for each option the builtin engine does not implement, naming the engine that does."""
    if cell.protocol not in PROTOCOLS:
        yield f"engine.protocol={cell.protocol}: must be one of {', '.join(PROTOCOLS)}"
    yield from Options(cell).unknown_clients()
    sections = tuple(name for name in _UNDERSTOOD if name.endswith("."))
    for name, value in fs_options.leaves(cell.fs):
        if name not in _UNDERSTOOD and (name.startswith(sections) or provenance_options.is_host(name)):
            continue
        if name not in _UNDERSTOOD:
            yield f"fs.{name}={value}: engine=builtin does not implement that; engine=federatedscope does"
        elif (allowed := _UNDERSTOOD[name]) is not None and value not in allowed:
            known = ", ".join(str(a) for a in allowed if a != "")
            yield f"fs.{name}={value}: engine=builtin knows {known}; engine=federatedscope has the others"


def _contradictions(options: Options) -> Iterator[str]:
    """Yield a line for each pair of options that does not fit, whatever the method."""
    data, model, criterion = options["data.type"], options["model.type"], options["criterion.type"]
    yield from models.problems(options.cell)
    if data == "toy" and model == "mlp":
        yield f"data=toy is a linear regression; model={model} does not fit it, take model=lr"
    if (criterion == "MSELoss") != (data == "toy"):
        yield f"fs.criterion.type={criterion} does not fit data {data}"
    if data != "toy" and not options["data.splitter"]:
        yield f"fs.data.splitter is not set; data {data} is split over clients by iid_fixed or lda"
    if options["finetune.before_eval"] and options.method in ("ditto", "fedem"):
        yield f"fs.finetune.before_eval: engine=builtin does not fine-tune the models of {options.method}; leave it out"
    if options["fedprox.use"] and options.method in ("pfedme", "fedrep", "fedem"):
        yield f"fs.fedprox.use: engine=builtin does not pull the models of {options.method}; leave it out"
    if options["nbafl.use"] and options.method == "fedem":
        yield f"fs.nbafl.use: engine=builtin adds no noise to the models of {options.method}; leave it out"
    yield from _number_problems(options)
    yield from _unseen_problems(options)
    yield from _metric_problems(options)
    yield from _sample_problems(options)


def _number_problems(options: Options) -> Iterator[str]:
    alpha = options.argument("data.splitter_args", "alpha", 0.5)
    if not isinstance(alpha, int | float) or alpha <= 0:
        yield f"alpha={alpha}: must be a number above 0"
    for name in ("train.optimizer.lr", "fedopt.optimizer.lr"):
        if not options[name] > 0:
            yield f"fs.{name}={options[name]}: must be above 0"


def _unseen_problems(options: Options) -> Iterator[str]:
    if not 0 <= (rate := options["federate.unseen_clients_rate"]) < 1:
        yield f"fs.federate.unseen_clients_rate={rate}: must be in [0, 1)"
    elif options.clients_per_round > (seen := options.clients - options.unseen_clients):
        most = plural(seen, "client")
        yield f"clients_per_round={options.clients_per_round}: must not exceed the {most} that are not unseen"


def _metric_problems(options: Options) -> Iterator[str]:
    names = [*METRICS[:3], *options["eval.metrics"]]
    for name in names:
        if name not in METRICS:
            yield f"fs.eval.metrics: engine=builtin has no {name}; it has {', '.join(METRICS)}"
    for split in options["eval.split"]:
        if split not in ("train", "val", "test"):
            yield f"fs.eval.split: no split {split}; there are train, val, test"
    key = options["eval.best_res_update_round_wise_key"]
    if not any(key == f"{split}_{name}" for split in options["eval.split"] for name in names):
        yield f"fs.eval.best_res_update_round_wise_key={key}: no evaluation tells it; take test_loss"


def _sample_problems(options: Options) -> Iterator[str]:
    if options["data.type"] != "toy":  # of which every client makes its own
        needed = {"train"} | (set() if options.global_evaluation else set(options["eval.split"]))
        yield from datasets.split_problems(options["data.type"], options["data.splits"], options.clients, needed)
