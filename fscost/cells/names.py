"""What a cell's method, model and data are called, read from its options; each name says only what they do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fscost.cells.cell import Cell

# --- methods --------------------------------------------------------------------------------------

_NO_METHODS = ("wandb", "distribute", "tensorboard", "deepspeed", "early_stop", "data", "dataloader", "train", "eval")
"""Sections with ``use`` that say where results go or how messages travel, not how models are trained."""

_INNER_METHODS = ("hpo.fedex", "hpo.fts", "hpo.pfedhpo", "llm.offsite_tuning")
"""Sections with ``use`` that are methods below a section that is none."""

_NOT_BY_LAYERS = ("fedrep", "fedpt", "local", "global")
"""Methods that no layer staying local makes another: it is theirs, or nothing is shared."""

_PLAIN_TRAINER = re.compile(
    r"|general|none|base|default|torch|tf|tensorflow|(my|general)?(torch|tf)?_?trainer|graphfullbatch"
    r"|(cv|nlp|llm|mf|cl|lp|atc|vertical|((graph|node|link)((mini|full)batch)?))_?trainer"
)
"""Trainers that train a kind of data in the usual way."""

_TRAINERS = {
    "local_entropy_trainer": "fedentsgd", "graphmaml_trainer": "maml", "flittrainer": "flit",
    "flitplustrainer": "flitplus", "fedvattrainer": "fedvat", "fedfocaltrainer": "fedfocal",
}  # fmt: skip
"""Trainers of FederatedScope that are methods."""


def trains_otherwise_alone(trainer: str) -> bool:
    """Return whether a ``trainer.type`` is known to change how clients train, and sends what FedAvg's sends.

    FedSAM's and FedEntSGD's send running statistics too, in every release: an estimate refuses them, and what is
    derived from their logs is held against what the server counted.
    """
    kind = trainer.lower()
    return bool(_PLAIN_TRAINER.fullmatch(kind)) or kind in ("sam_trainer", "local_entropy_trainer")


def method_of(cell: Cell) -> str:
    """Return the method: what is switched on (``fedprox.use``, ``federate.use_ss``, …), else ``federate.method``.

    How it is simulated (``federate.share_local_model``, ``federate.online_aggr``) is no method. A course that is data
    has a name of its own.
    """
    base = str(cell.get("federate.method")).lower()
    if base == "spec" and (course := cell.get("course.spec.name")):
        return str(course)
    used = [*_switched_on(cell), *_unnamed_sections(cell, base)]
    used = sorted([*used, *_trainers(cell, {base, *used})])
    names = ([] if base == "fedavg" and used else [base]) + used
    return "+".join(dict.fromkeys([*names, *_codecs(cell)]))


def _codecs(cell: Cell) -> Iterator[str]:
    """Yield the codecs of messages for training, with the number that decides their bytes: ``topk 1% both ways``."""
    up, down = (str(cell.get(f"codec.{link}", "none")) for link in ("uplink", "downlink"))
    if up != "none":
        yield _codec(up, cell) + " both ways" * (up == down)
    if down not in ("none", up):
        yield f"down {_codec(down, cell)}"


def _codec(name: str, cell: Cell) -> str:
    if name == "sign":
        return name if cell.get("codec.scale", True) else "signum"
    if name == "sketch" and (columns := cell.get("codec.columns")):
        return f"{name} {cell.get('codec.rows', 5)}x{columns}"
    if name in _OF_RATIO:
        ratio = cell.get("codec.ratio", 0.01)
        return f"{name} {100 * ratio:g}%" if isinstance(ratio, (int, float)) else f"{name} {ratio}"
    if name == "quantise":
        return f"{name} {cell.get('codec.bits', 8)}-bit"
    return f"{name} {cell.get('codec.rank', 2)}" if name == "lowrank" else name


_OF_RATIO = ("topk", "randomk", "sketch")
"""Codecs of which a share of the elements decides the bytes."""


def _switched_on(cell: Cell) -> Iterator[str]:
    sections = [str(name) for name, section in cell.fs.items() if isinstance(section, Mapping)]
    for name in (*(name for name in sections if name not in _NO_METHODS), *_INNER_METHODS):
        if cell.get(f"{name}.use") is True:
            yield name.rpartition(".")[2]


def _trainers(cell: Cell, methods: Collection[str]) -> Iterator[str]:
    """Yield the method that a trainer is, by the name that FederatedScope gives it.

    One that is named after a method, or after the model or the data, is their usual one.
    """
    kind = str(cell.get("trainer.type", "general")).lower()
    served = {*methods, *(str(cell.get(name)).lower() for name in ("model.type", "data.type"))}
    if kind == "sam_trainer":
        yield "fedasam" if cell.get("trainer.sam.adaptive") else "fedsam"
    elif not _PLAIN_TRAINER.fullmatch(kind) and served.isdisjoint({kind, re.sub("_?trainer$", "", kind)}):
        yield _TRAINERS.get(kind, re.sub(r"_trainer\Z", "", kind))


def _unnamed_sections(cell: Cell, base: str) -> Iterator[str]:
    """Yield the methods that no section is named after."""
    if (local := cell.get("personalization.local_param")) and base not in _NOT_BY_LAYERS:
        words = local if isinstance(local, (list, tuple)) else [local]
        yield _local([str(word) for word in words], cell)
    if (rule := str(cell.get("aggregator.robust_rule") or "fedavg")) != "fedavg":
        yield rule
    if (cell.get("quantization.method") or "none") != "none":
        yield f"quant{cell.get('quantization.nbits', 8)}"
    if cell.get("federate.use_ss"):
        yield "ss"


# --- what stays local -----------------------------------------------------------------------------

_NORM = re.compile(r"(.*_)?(batch|layer|group|instance|rms)?(bn|ln|norm|normalization)s?(_?\d+d?)?(_f)?")
_ENTRIES = (".weight", ".bias", ".running_mean", ".running_var", ".num_batches_tracked")

_HEAD = re.compile(
    r"((.*_)?(head|classifier|clf|predictor|logits|readout)s?|cls|score|(fc_?)?(last|out|output)(_layer)?)"
)
"""What the last layer is called, in whatever model."""

_LAST = re.compile(r"fc\d*|linear|linears\.\d+")
"""What it is called in models of which nothing else is known."""

_LAST_OF = {"lr": "fc", "convnet2": "fc2", "convnet5": "fc2", "vgg11": "fc3", "lstm": "decoder"}
"""What it is called in models of FederatedScope."""


_NORMS_OF = {
    "resnet": ("downsample.1",),
    "vgg": tuple(f"features.{place}." for place in (1, 4, 8, 11, 15, 18, 21, 25, 28, 31, 35, 38, 41)),
    "mobilenet_v2": ("features.0.1", "features.18.1", "features.1.conv.2", "conv.0.1", "conv.1.1", "conv.3"),
}
"""Normalisation layers whose names do not say so, in models of torchvision by their ``model_type``."""


def _local(words: Sequence[str], cell: Cell) -> str:
    """Return FedBN where only normalisation layers stay local, FedPer where only the head does, else what does."""
    known = _NORMS_OF.get(str(cell.get("model.spec.config.model_type")), ())
    if all(_NORM.fullmatch(_layer(word)) or word in known for word in words):
        return "fedbn"
    return "fedper" if all(_is_head(word, cell) for word in words) else f"local: {', '.join(words)}"


def _is_head(word: str, cell: Cell) -> bool:
    if _HEAD.fullmatch(_layer(word)):
        return True
    kind, name = str(cell.get("model.type")), _entry(word)
    if kind == "mlp":
        return name == f"linears.{cell.get('model.layer', 2) - 1}"
    return name == _LAST_OF[kind] if kind in _LAST_OF else bool(_LAST.fullmatch(name))


def _entry(word: str) -> str:
    """Return a keyword without the name of a layer's parameter."""
    return next((word[: -len(end)] for end in _ENTRIES if word.endswith(end)), word).strip(".").lower()


def _layer(word: str) -> str:
    """Return the layer that a keyword names: ``norm1`` of ``encoder.norm1.weight``, ``norms`` of ``norms.0``."""
    parts = [part for part in _entry(word).split(".") if not part.isdigit()]
    return parts[-1] if parts else ""


# --- models and data ------------------------------------------------------------------------------

_READ_HIDDEN = (
    "mlp", "convnet2", "convnet5", "vgg11", "lstm", "gcn", "sage", "gpr", "gat", "gin", "mpnn", "vmfnet", "hmfnet",
)  # fmt: skip
"""The models of FederatedScope that read ``model.hidden``."""

_SIZES = {
    ("mlp", "16"): "mlp_s", ("mlp", "64"): "mlp_m", ("mlp", "256"): "mlp_l", ("convnet2", "64"): "convnet2",
    ("convnet5", "64"): "convnet5", ("vgg11", "128"): "vgg11", ("lstm", "256"): "lstm",
}  # fmt: skip

_HUB = re.compile("transformers|(huggingface|modelscope)_llm|huggingface_datasets|llm")
"""What stands behind the ``@`` of a model or of data that is named by its path."""


_PATH = re.compile(r"[\w ./\\~:@+,=#()-]+")


def model_of(cell: Cell) -> str:
    """Return the model's name: its type, with the hidden size where a model of this type reads one."""
    kind, hidden, layers = (cell.get(f"model.{key}") for key in ("type", "hidden", "layer"))
    if kind == "spec":
        rank = cell.get("model.spec.lora_rank")
        return str(cell.get("model.spec.name", "spec")) + (f"_r{rank}" if rank else "")
    if not hidden or str(kind).lower() not in _READ_HIDDEN:
        return shortened(str(kind))
    name = _SIZES.get((str(kind).lower(), str(hidden))) or f"{kind}_h{hidden}"
    return f"{name}_l{layers}" if kind == "mlp" and layers not in (None, 2) else name


def adapter_of(cell: Cell) -> str:
    """Return a language model's adapter of PEFT with its size, ``lora_r8``, ``prefix_20``; nothing for none."""
    if not cell.get("llm.adapter.use"):
        return ""
    given = cell.get("llm.adapter.args")
    own = given[0] if isinstance(given, (list, tuple)) and given and isinstance(given[0], Mapping) else {}
    rank, tokens = own.get("r"), own.get("num_virtual_tokens")
    size = f"_r{rank}" if rank is not None else "" if tokens is None else f"_{tokens}"
    return f"{own.get('adapter_method') or 'adapter'}{size}"


def data_of(cell: Cell) -> str:
    """Return the data's name, with the size it is scaled to and the Dirichlet alpha of its split if it has them."""
    kind, file = str(cell.get("data.type")), cell.get("data.file_path")
    if kind == "file" and file and not cell.get("distribute.use"):  # where each has a file of its own
        kind = shortened(str(file))
    name = re.sub(r"(_seq)?(_flat)?\Z", "", shortened(kind) or "none")  # the form is the model's
    arguments, split = _arguments(cell.get("data.args")), _arguments(cell.get("data.splitter_args"))
    if "resize" in arguments:
        name += f"_{arguments['resize']}px"
    if cell.get("data.splitter") == "lda":
        alpha = split.get("alpha", 0.5)
        name += f"_a{alpha:g}" if isinstance(alpha, (int, float)) else f"_a{alpha}"
    return name


def _arguments(items: Iterable[Mapping[str, Any]] | None) -> dict[str, Any]:
    return {key: value for item in items or [] for key, value in item.items()}


def shortened(kind: str) -> str:
    """Return a type that is a path by its last part: ``gpt2`` of ``/data/models/gpt2@huggingface_llm``."""
    if not _PATH.fullmatch(kind):
        return kind
    path, _, source = kind.rpartition("@")
    end = f"@{source}" if path and not _HUB.fullmatch(source.lower()) else ""
    path = path or kind
    if cached := re.search(r"(?:models|datasets)--(?:[^/\\]*--)?([^/\\]+)", path):  # as the hub's cache names folders
        return cached[1] + end
    parts = [part for part in re.split(r"[/\\]", path) if part]
    return (parts[-1] if parts else path) + end


def is_place(kind: str) -> bool:
    """Return whether a type names a folder of this machine: the same model may lie in another one elsewhere."""
    return bool(re.match(r"[/~.\\]|[A-Za-z]:[/\\]", kind))
