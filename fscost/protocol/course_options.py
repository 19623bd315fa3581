"""A cell's options as a course needs them: typed, and FederatedScope's default where the cell leaves one out."""

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from fscost.cells.cell import Cell
from fscost.printable import plural
from fscost.protocol import datasets, fs_options
from fscost.protocol.codecs import Codec, codec_of
from fscost.protocol.methods import BY_FEDERATE_METHOD, METHODS, Method
from fscost.protocol.release import PROTOCOLS, Release, release_of


@dataclass(frozen=True)
class LocalSteps:
    """A local update of `steps` epochs or batches (`unit`).

    `passes` replaces the number of passes where a method has its own (FedRep), and each batch is used `repeats` times
    in a row (pFedMe); both as FederatedScope counts them.
    """

    steps: int
    unit: str
    batch_size: int
    drop_last: bool
    passes: int | None = None
    repeats: int = 1

    def per_pass(self, samples: int) -> int:
        """Return how many batches one whole pass over `samples` has."""
        return samples // self.batch_size if self.drop_last else math.ceil(samples / self.batch_size)

    def batches(self, samples: int) -> list[int]:
        """Return how many batches each pass takes; raises ValueError where a pass has none."""
        whole = self.per_pass(samples)
        if whole == 0:
            has = plural(samples, "sample")
            raise ValueError(f"a client has {has}, less than a batch of {self.batch_size}, and drop_last is set")
        if self.unit == "epoch":
            first = last = whole
            passes = self.steps
        else:
            passes = math.ceil(self.steps / whole)
            first, last = min(self.steps, whole), self.steps % whole or whole
        passes = self.passes or passes * self.repeats
        return [first] * (passes - 1) + [last]

    def short_batches(self, samples: int) -> int:
        """Return how many batches of a local update are shorter: the last one of each whole pass."""
        if self.drop_last or samples % self.batch_size == 0:
            return 0
        return self.batches(samples).count(self.per_pass(samples))

    def sample_size(self, samples: int) -> int:
        """Return the samples seen in one local update of a client that has `samples`, each as often as it is seen."""
        whole = samples - samples % self.batch_size if self.drop_last else samples
        batches = self.batches(samples)
        if self.repeats > 1:  # the batches at the end of a pass are never drawn, so only the one of a single is short
            return sum(batches) * min(self.batch_size, whole)
        return sum(min(count * self.batch_size, whole) for count in batches)


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

    @cached_property
    def used_methods(self) -> list[Method]:
        """The methods that it asks for: that of ``federate.method`` and what is switched on beside it."""
        return [method for method in METHODS if method.is_used(self)]

    @property
    def _base(self) -> Method | None:
        """The method of ``federate.method``, None where that is not known."""
        return BY_FEDERATE_METHOD.get(self.method)

    @property
    def is_alone(self) -> bool:
        """Whether clients train without each other (``local``) or there is only one (``global``): nothing is shared."""
        return self._base is not None and not self._base.shares

    @property
    def models(self) -> int:
        """How many models are learned at once: several with FedEM."""
        return int(self[self._base.models]) if self._base and self._base.models else 1

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
    def trains_half(self) -> bool:
        """Whether clients train, and so upload, in half precision."""
        return bool(self["train.is_enable_half"])

    @property
    def halves_all(self) -> bool:
        """Whether the server's model is in half precision too: it shares that of the clients."""
        return self.trains_half and bool(self["federate.share_local_model"])

    @property
    def evaluates_loss_alone(self) -> bool:
        """Whether an evaluation says the loss and nothing else, of splits without samples too."""
        return str(self["trainer.type"]).lower() == "llmtrainer"

    @property
    def uploads_differences(self) -> bool:
        """Whether clients upload the difference to the model they received, as robust and asynchronous rules need.

        And as most codecs do.
        """
        codec = self.codec("uplink")
        packs_differences = codec is not None and not codec.uplink_takes_model
        return packs_differences or any(method.uploads_differences for method in self.used_methods)

    def codec(self, link: str) -> Codec | None:
        """Return the codec of what travels for training over a link, None for none.

        Raises ConfigError as `codec_of`.
        """
        return codec_of(self.__getitem__, link)

    def has_feedback(self, link: str) -> bool:
        """Return whether what is lost over a link is made good later: as the codec's method has it, or an option says.

        Of the model itself nothing is.
        """
        codec, said = self.codec(link), self["codec.error_feedback"]
        if codec is None or codec.takes_model(link):
            return False
        return codec.has_feedback if said is None else bool(said)

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
    def local_steps(self) -> LocalSteps:
        """How long a local update is."""
        steps, base = self._steps("train"), self._base
        if base and base.passes:
            return replace(steps, passes=sum(self[name] for name in base.passes))
        return replace(steps, repeats=self[base.repeats]) if base and base.repeats else steps

    def joining_samples(self, samples: int) -> int:
        """Return the ``num_sample`` that a client with `samples` answers when it is asked on joining."""
        steps = int(self["train.local_update_steps"])
        return steps * (samples if self["train.batch_or_epoch"] == "epoch" else int(self["dataloader.batch_size"]))

    @property
    def personal_steps(self) -> LocalSteps:
        """How long the training of Ditto's personal model is; as long as the local update unless an option says."""
        steps = self["personalization.local_update_steps"]
        return self._steps("train", steps if steps > 0 else None)

    @property
    def finetune_steps(self) -> LocalSteps:
        """How long a client fine-tunes the model before it evaluates it."""
        return self._steps("finetune")

    def _steps(self, section: str, steps: int | None = None) -> LocalSteps:
        return LocalSteps(
            steps=steps or self[f"{section}.local_update_steps"],
            unit=self[f"{section}.batch_or_epoch"],
            batch_size=self["dataloader.batch_size"],
            drop_last=self["dataloader.drop_last"],
        )

    @property
    def personal_lr(self) -> float:
        """The learning rate of pFedMe's personal model; that of the local update unless an option says."""
        return float(self["personalization.lr"] if self["personalization.lr"] > 0 else self["train.optimizer.lr"])

    def uploaded(self, names: Iterable[str], trainable: Collection[str]) -> list[str]:
        """Return which entries of a state_dict clients upload, and accept from the server.

        Parameters, on releases before master running statistics too, without those that a method keeps to the client
        and those that ``personalization.local_param`` names by a part of their name. The server sends all the same.
        """
        if self.is_alone:
            return []
        local, used = self["personalization.local_param"], self.used_methods
        sent = (name for name in names if self.uploads_buffers or name in trainable)
        sent = (name for name in sent if all(method.uploads(name) for method in used))
        return [name for name in sent if not any(word in name for word in local)]

    def downloaded(self, names: Iterable[str]) -> list[str]:
        """Return which entries of a state_dict the server sends: all, unless a method keeps back what stays local."""
        local = self["personalization.local_param"] if any(m.keeps_down for m in self.used_methods) else ()
        return [name for name in names if not any(word in name for word in local)]

    @property
    def sends_beside(self) -> bool:
        """Whether more than models travels for training, or other things."""
        return any(method.course for method in self.used_methods)

    @property
    def sends_models(self) -> bool:
        """Whether models travel, and not what is learned in another form."""
        return all(method.sends_models for method in self.used_methods)

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

    def unknown_clients(self) -> Iterator[str]:
        """Yield why nobody knows how many clients there are before the data are loaded."""
        if self["federate.client_num"] == 0:
            yield "clients=0: must be at least 1; engine=federatedscope takes 0 for as many as the data have"

    def absent(self) -> Iterator[str]:
        """Yield a line for each option of the cell that its release does not have."""
        protocol = self.cell.protocol
        absent = fs_options.absent(protocol)
        for name, value in fs_options.leaves(self.cell.fs):
            if name in absent and value != fs_options.default(name):
                has_it = next(one for one in PROTOCOLS if name not in fs_options.absent(one))
                yield (
                    f"fs.{name}={value}: FederatedScope {protocol} has no such option; take engine.protocol={has_it}"
                )
