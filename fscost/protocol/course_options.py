"""The part of FederatedScope's options that the builtin engine understands."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fscost.cells import provenance_options
from fscost.cells.cell import Cell
from fscost.protocol import datasets, fs_options, model_inputs
from fscost.protocol.local_steps import Schedule
from fscost.protocol.release import PROTOCOLS, Release, release_of

DATA_TYPES = (*datasets.DATA_TYPES, "toy")

METRICS = ("loss", "avg_loss", "total", "acc", "correct", "f1", "mse", "rmse", "loss_regular")
"""What an evaluation can tell; the first three always are, as in FederatedScope."""

METHODS = ("FedAvg", "FedOpt", "FedRep", "Ditto", "pFedMe", "FedEM", "local", "global")
"""``federate.method``; FedBN and FedPer are FedAvg with ``personalization.local_param``."""

ROBUST_RULES = ("krum", "median", "trimmedmean", "normbounding", "bulyan")
"""``aggregator.robust_rule`` other than plain averaging; clients then upload differences to the model they received."""

_OPTIMIZERS = ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop")

_ANY = None
_UNDERSTOOD: dict[str, tuple[Any, ...] | None] = {
    "seed": _ANY,
    "backend": ("torch",),
    "federate.client_num": _ANY,
    "federate.sample_client_num": _ANY,
    "federate.sample_client_rate": _ANY,
    "federate.total_round_num": _ANY,
    "federate.mode": ("standalone",),
    "federate.method": METHODS,
    "federate.use_ss": _ANY,
    "federate.online_aggr": _ANY,
    "federate.share_local_model": _ANY,
    "federate.join_in_info": _ANY,
    "federate.unseen_clients_rate": _ANY,
    "federate.make_global_eval": _ANY,
    "federate.merge_test_data": _ANY,
    "federate.ignore_weight": _ANY,
    "data.type": DATA_TYPES,
    "data.args": _ANY,
    "data.root": _ANY,
    "data.splits": _ANY,
    "data.splitter": (*datasets.SPLITTERS, ""),
    "data.splitter_args": _ANY,
    "data.consistent_label_distribution": _ANY,
    "dataloader.type": ("base",),
    "dataloader.batch_size": _ANY,
    "dataloader.shuffle": _ANY,
    "dataloader.drop_last": _ANY,
    "model.type": tuple(model_inputs.MODELS),
    "model.in_channels": _ANY,
    "model.embed_size": _ANY,
    "model.hidden": _ANY,
    "model.layer": _ANY,
    "model.dropout": _ANY,
    "model.out_channels": _ANY,
    "model.use_bias": _ANY,
    "model.task": _ANY,
    "criterion.type": ("CrossEntropyLoss", "MSELoss"),
    "trainer.type": ("general", "cvtrainer"),
    "train.local_update_steps": _ANY,
    "train.batch_or_epoch": ("batch", "epoch"),
    "train.optimizer.type": _OPTIMIZERS,
    "grad.grad_clip": _ANY,
    "fedprox.use": _ANY,
    "fedprox.mu": _ANY,
    "fedopt.use": _ANY,
    "fedopt.optimizer.type": _OPTIMIZERS,
    "fedswa.use": _ANY,
    "fedswa.start_rnd": _ANY,
    "fedswa.freq": _ANY,
    "nbafl.use": _ANY,
    "nbafl.mu": _ANY,
    "nbafl.epsilon": _ANY,
    "nbafl.w_clip": _ANY,
    "nbafl.constant": _ANY,
    "aggregator.robust_rule": ("fedavg", *ROBUST_RULES),
    "aggregator.byzantine_node_num": _ANY,
    "asyn.use": _ANY,
    "asyn.min_received_num": _ANY,
    "asyn.min_received_rate": _ANY,
    "asyn.staleness_toleration": _ANY,
    "asyn.staleness_discount_factor": _ANY,
    "asyn.aggregator": ("goal_achieved",),
    "asyn.broadcast_manner": ("after_aggregating", "after_receiving"),
    "quantization.method": ("none", "uniform"),
    "quantization.nbits": (8, 16),
    "finetune.before_eval": _ANY,
    "finetune.local_update_steps": _ANY,
    "finetune.batch_or_epoch": ("batch", "epoch"),
    "finetune.optimizer.type": _OPTIMIZERS,
    "model.model_num_per_trainer": _ANY,
    "personalization.local_param": _ANY,
    "personalization.share_non_trainable_para": _ANY,
    "personalization.local_update_steps": _ANY,
    "personalization.lr": _ANY,
    "personalization.regular_weight": _ANY,
    "personalization.K": _ANY,
    "personalization.beta": _ANY,
    "personalization.epoch_feature": _ANY,
    "personalization.epoch_linear": _ANY,
    "personalization.lr_feature": _ANY,
    "personalization.lr_linear": _ANY,
    "personalization.weight_decay": _ANY,
    "early_stop.patience": _ANY,
    "early_stop.delta": _ANY,
    "early_stop.improve_indicator_mode": ("best",),
    "eval.freq": _ANY,
    "eval.metrics": _ANY,
    "eval.split": _ANY,
    "eval.count_flops": _ANY,
    "eval.best_res_update_round_wise_key": _ANY,
}
_OPEN = ("train.optimizer.", "fedopt.optimizer.", "finetune.optimizer.", "aggregator.BFT_args.")


@dataclass(frozen=True)
class Options:
    """Typed access to a cell's options, FederatedScope's default where the cell leaves it."""

    cell: Cell

    def __getitem__(self, name: str) -> Any:
        return self.cell.get(name, fs_options.default(name))

    @property
    def release(self) -> Release:
        """The FederatedScope whose messages it sends."""
        return release_of(self.cell.protocol)

    @property
    def method(self) -> str:
        """``federate.method`` in small letters."""
        return str(self["federate.method"]).lower()

    @property
    def is_alone(self) -> bool:
        """Whether clients train without each other (``local``) or there is only one (``global``): nothing is shared."""
        return self.method in ("local", "global")

    @property
    def models(self) -> int:
        """How many models are learned at once: several with FedEM."""
        return int(self["model.model_num_per_trainer"]) if self.method == "fedem" else 1

    @property
    def clients(self) -> int:
        """N, the number of clients; ``global`` has one, with the samples of all."""
        return 1 if self.method == "global" else int(self["federate.client_num"])

    @property
    def rounds(self) -> int:
        """How many rounds of training there are unless an early stop ends them."""
        return int(self["federate.total_round_num"])

    @property
    def participants(self) -> int:
        """The clients that may be sampled: all but the unseen ones, which only evaluate."""
        return max(1, int((1 - self["federate.unseen_clients_rate"]) * self.clients))

    @property
    def unseen_clients(self) -> int:
        """The clients that never train, kept apart to see how the model generalises to them."""
        rate = self["federate.unseen_clients_rate"]
        return max(1, int(rate * self.clients)) if rate > 0 else 0

    @property
    def clients_per_round(self) -> int:
        """The clients sampled in one round; FederatedScope lets the rate win over the number."""
        if self.is_alone:
            return self.participants
        if 0 < (rate := self["federate.sample_client_rate"]) <= 1:
            return max(1, int(rate * self.participants))
        number = int(self["federate.sample_client_num"])
        return number if number > 0 else self.participants

    @property
    def global_evaluation(self) -> bool:
        """Whether the server evaluates on its own data, without any message."""
        return bool(self["federate.make_global_eval"] or self["federate.merge_test_data"])

    @property
    def evaluations(self) -> int:
        """How often clients evaluate: every ``eval.freq`` rounds and always after the last; 0 if the server does."""
        every = int(self["eval.freq"])
        return 0 if self.global_evaluation else self.rounds // every + (self.rounds % every > 0)

    @property
    def uploads_buffers(self) -> bool:
        """Whether clients upload running statistics too: always before FederatedScope's master of July 2023."""
        return self.release.uploads_buffers or bool(self["personalization.share_non_trainable_para"])

    @property
    def uploads_differences(self) -> bool:
        """Whether clients upload the difference to the model they received, as robust and asynchronous rules need."""
        return bool(self["asyn.use"]) or self["aggregator.robust_rule"] in ROBUST_RULES

    @property
    def updates_per_aggregation(self) -> int:
        """How many updates the server waits for: all of a round, or fewer if it is asynchronous."""
        if not self["asyn.use"]:
            return self.clients_per_round
        if 0 < (rate := self["asyn.min_received_rate"]) <= 1:
            return max(1, int(rate * self.clients_per_round))
        number = int(self["asyn.min_received_num"])
        return number if 0 < number <= self.clients_per_round else self.clients_per_round

    @property
    def schedule(self) -> Schedule:
        """How long a local update is."""
        method = {"fedrep": {"passes": self["personalization.epoch_linear"] + self["personalization.epoch_feature"]}}
        method["pfedme"] = {"repeats": self["personalization.K"]}
        return replace(self._schedule("train"), **method.get(self.method, {}))

    def samples_told(self, samples: int) -> int:
        """Return what a client with `samples` tells as ``num_sample`` when it is asked on joining."""
        steps = int(self["train.local_update_steps"])
        return steps * (samples if self["train.batch_or_epoch"] == "epoch" else int(self["dataloader.batch_size"]))

    @property
    def personal_schedule(self) -> Schedule:
        """How long the training of Ditto's personal model is; as long as the local update unless it is told."""
        steps = self["personalization.local_update_steps"]
        return self._schedule("train", steps if steps > 0 else None)

    @property
    def finetune_schedule(self) -> Schedule:
        """How long a client fine-tunes the model before it evaluates it."""
        return self._schedule("finetune")

    def _schedule(self, section: str, steps: int | None = None) -> Schedule:
        return Schedule(
            steps=steps or self[f"{section}.local_update_steps"],
            unit=self[f"{section}.batch_or_epoch"],
            batch_size=self["dataloader.batch_size"],
            drop_last=self["dataloader.drop_last"],
        )

    @property
    def personal_lr(self) -> float:
        """The learning rate of pFedMe's personal model; that of the local update unless it is told."""
        return float(self["personalization.lr"] if self["personalization.lr"] > 0 else self["train.optimizer.lr"])

    def uploaded(self, names: Iterable[str], trainable: Collection[str]) -> list[str]:
        """Return which entries of a state_dict clients upload, and accept from the server.

        Parameters, on releases before master running statistics too, without those that
        ``personalization.local_param`` names by a part of their name. The server sends everything all the same.
        """
        local: list[str] = self["personalization.local_param"]
        sent = (name for name in names if self.uploads_buffers or name in trainable)
        return [name for name in sent if not self.is_alone and not any(word in name for word in local)]

    @property
    def server_optimizer(self) -> dict[str, Any] | None:
        """The optimizer of FedOpt with its arguments, None for plain averaging."""
        used = self["fedopt.use"] or self.method == "fedopt"
        return self._optimizer("fedopt.optimizer") if used else None

    @property
    def optimizer(self) -> dict[str, Any]:
        """The optimizer of the local update with its arguments."""
        return self._optimizer("train.optimizer")

    @property
    def finetune_optimizer(self) -> dict[str, Any]:
        """The optimizer of fine-tuning with its arguments."""
        return self._optimizer("finetune.optimizer")

    def _optimizer(self, section: str) -> dict[str, Any]:
        defaults = {key: fs_options.default(f"{section}.{key}") for key in ("type", "lr")}
        return defaults | dict(self.cell.get(section, {}))

    def argument(self, option: str, name: str, default: Any = None) -> Any:
        """Return one entry of a list of mappings, as ``data.args: [{resize: 32}]``."""
        merged = {key: value for item in self[option] for key, value in item.items()}
        return merged.get(name, default)

    @property
    def split(self) -> datasets.Split:
        """How the digits are split over clients."""
        alpha = self.argument("data.splitter_args", "alpha", 0.5) if self["data.splitter"] == "lda" else None
        return datasets.Split(
            clients=self.clients,
            shares=tuple(self["data.splits"][:2]),
            alpha=alpha,
            consistent=self["data.consistent_label_distribution"],
            seed=self["seed"],
        )


def not_understood(cell: Cell) -> Iterator[str]:
    """Yield a line for each option the builtin engine does not implement, naming the engine that does."""
    if cell.protocol not in PROTOCOLS:
        yield f"engine.protocol={cell.protocol}: must be one of {', '.join(PROTOCOLS)}"
    for name, value in fs_options.leaves(cell.fs):
        if name not in _UNDERSTOOD and (name.startswith(_OPEN) or provenance_options.is_host(name)):
            continue
        if name not in _UNDERSTOOD:
            yield f"fs.{name}={value}: engine=builtin does not implement that; engine=federatedscope does"
        elif (allowed := _UNDERSTOOD[name]) is not None and value not in allowed:
            known = ", ".join(str(a) for a in allowed if a != "")
            yield f"fs.{name}={value}: engine=builtin knows {known}; engine=federatedscope has the others"


def contradictions(options: Options) -> Iterator[str]:
    """Yield a line for each pair of options that does not fit, whatever the method."""
    data, model, criterion = options["data.type"], options["model.type"], options["criterion.type"]
    yield from model_inputs.problems(options.cell)
    if data == "toy" and model == "mlp":
        yield f"data=toy is a linear regression; model={model} does not fit it, take model=lr"
    if (criterion == "MSELoss") != (data == "toy"):
        yield f"fs.criterion.type={criterion} does not fit data {data}"
    if data != "toy" and not options["data.splitter"]:
        yield f"fs.data.splitter is not set; data {data} is split over clients by iid_fixed or lda"
    if options["finetune.before_eval"] and options.method in ("ditto", "fedem"):
        yield f"fs.finetune.before_eval: engine=builtin does not fine-tune the models of {options.method}; leave it out"
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
        yield f"clients_per_round={options.clients_per_round}: must not exceed the {seen} clients that are not unseen"


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
    shares = options["data.splits"]
    if len(shares) != 3 or not all(isinstance(s, int | float) and s >= 0 for s in shares) or sum(shares[:2]) >= 1:
        yield f"fs.data.splits={shares}: must be three shares, train and val together below 1"
        return
    if options["data.type"] == "toy":  # every client makes its own
        return
    sizes = datasets.split_sizes(shares, datasets.DATA_TYPES[options["data.type"]].source.samples)
    needed = {"train"} | (set() if options.global_evaluation else set(options["eval.split"]))
    split = min(needed & sizes.keys(), key=lambda name: (sizes[name], name))
    if sizes[split] < options.clients:
        yield (
            f"clients={options.clients}: {options['data.type']} has {sizes[split]} {split} samples "
            f"and every client needs one; take at most {sizes[split]} clients"
        )
