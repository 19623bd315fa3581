"""A model that is known only by its shapes (``model=spec``): the entries of its state_dict, nothing allocated."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fscost.errors import ConfigError, nearest
from fscost.protocol.image_models import is_image_model, state_dict_in
from fscost.protocol.language_models import architecture_of, parameters_of
from fscost.protocol.models import Shape

ITEM_BYTES = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1,
    "bool": 1,
}  # fmt: skip
"""The bytes of one element by torch's names of its dtypes."""

_KEYS = ("name", "dtype", "repeat", "tensors", "config", "parameters", "lora_rank")
_COUNTS = ("parameters", "repeat", "lora_rank")
_ONE_OF = ("tensors", "config", "parameters")
_TENSOR_KEYS = ("shape", "dtype", "trainable")


def is_count(spec: Mapping[str, Any]) -> bool:
    """Return whether of the model only the number of its parameters is known, not how they are cut into tensors."""
    return spec.get("parameters") is not None


def shapes_of(spec: Mapping[str, Any], *, pads: bool = False) -> list[Shape]:
    """Return the entries of the state_dict that a spec stands for; raises ConfigError for a spec that makes no sense.

    Instead of tensors it can have the ``config`` of a model of images, or of a language model, whose vocabulary has one
    token more if FederatedScope `pads` it. With ``lora_rank`` r they are the adapters alone, as the base is frozen
    and known to all: a matrix (out, in) becomes lora_A (r, in) and lora_B (out, r) (Hu et al., LoRA, 2022).
    """
    where = f"model {spec.get('name', 'spec')}"
    _check_keys(spec, _KEYS, where)
    _check_heads(spec, where)
    dtype, rank = str(spec.get("dtype") or "float32"), spec.get("lora_rank")
    if is_count(spec):
        return [Shape("parameters", (spec["parameters"],), dtype)]
    if (config := spec.get("config")) is not None:
        found = _of_config(config, where, pads=pads)
        return found if rank is None else _adapted(found, config, rank, dtype, where)
    found = [shape for name, tensor in spec["tensors"].items() for shape in _named(name, tensor, spec, where)]
    if again := [name for name, number in Counter(shape.name for shape in found).items() if number > 1]:
        raise ConfigError(f"{where}: {again[0]}: there is more than one tensor of this name")
    if rank is None:
        return found
    adapters = [adapter for matrix in found for adapter in _adapters(matrix, rank, dtype)]
    if not adapters:
        raise ConfigError(f"{where}: lora_rank={rank}: no trainable tensor is a matrix, so there is nothing to adapt")
    return adapters


def _of_config(config: Mapping[str, Any], where: str, *, pads: bool) -> list[Shape]:
    try:
        return state_dict_in(config) if is_image_model(config) else parameters_of(config, pads=pads)
    except ConfigError as error:
        raise ConfigError(f"{where}: config: {error}") from error


def _adapted(entries: Iterable[Shape], config: Mapping[str, Any], rank: int, dtype: str, where: str) -> list[Shape]:
    """Return the adapters of the layers that PEFT adapts by default."""
    if is_image_model(config):
        raise ConfigError(f"{where}: lora_rank={rank}: which layers of images are adapted is not known; give tensors")
    layers = architecture_of(config).adapted
    own = [one for one in entries if one.name.removesuffix(".weight").rpartition(".")[2] in layers]
    return [adapter for one in own for adapter in _adapters(one, rank, dtype)]


def _check_keys(given: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            raise ConfigError(
                f"{where}: {key}: there is no such key{nearest(str(key), known)}; it has {', '.join(known)}"
            )


def _check_heads(spec: Mapping[str, Any], where: str) -> None:
    for problem in _problems(spec):
        raise ConfigError(f"{where}: {problem}")
    _check_dtype(spec.get("dtype") or "float32", where)


def _problems(spec: Mapping[str, Any]) -> Iterator[str]:
    tensors, given = spec.get("tensors"), [key for key in _COUNTS if spec.get(key) is not None]
    if not isinstance(spec.get("name"), str):
        yield "name: must be text, what tables call the model"
    if sum(spec.get(key) is not None for key in _ONE_OF) != 1:
        yield "give either tensors with their shapes, or parameters, their number, or a language model's config"
    if tensors is not None and (not isinstance(tensors, Mapping) or not tensors):
        yield f"tensors={tensors}: must be a mapping, as {{fc.weight: [10, 64]}}"
    yield from (
        f"{k}={spec[k]}: must be a whole number of at least 1" for k in given if not _is_whole(spec[k], least=1)
    )
    if (config := spec.get("config")) is not None and not isinstance(config, Mapping):
        yield f"config={config}: must be a mapping, as a model's config.json is"
    if config is not None and (wrong := [key for key in ("repeat", "dtype") if spec.get(key) is not None]):
        yield f"{wrong[0]}={spec[wrong[0]]}: needs tensors, and config says them; leave it out"
    if is_count(spec) and len(given) > 1:
        yield f"{given[1]}={spec[given[1]]}: needs tensors, and parameters={spec['parameters']} names none"
    if "repeat" in given and not any("*" in str(name) for name in tensors or ()):
        yield f"repeat={spec['repeat']}: no tensor has * in its name"


def _named(name: Any, value: Any, spec: Mapping[str, Any], where: str) -> Iterator[Shape]:
    """Yield the tensors that one line of ``tensors`` stands for: one, or one per repetition."""
    where = f"{where}: {name}"
    if not isinstance(name, str):
        raise ConfigError(f"{where}: the name of a tensor must be text")
    tensor = value if isinstance(value, Mapping) else {"shape": value}
    _check_keys(tensor, _TENSOR_KEYS, where)
    shape, dtype = tensor.get("shape"), tensor.get("dtype", spec.get("dtype") or "float32")
    trainable = tensor.get("trainable", True)
    if not isinstance(shape, list | tuple) or not all(_is_whole(size, least=0) for size in shape):
        raise ConfigError(f"{where}: shape {shape}: must be a list of whole numbers, as [10, 64]")
    _check_dtype(dtype, where)
    if not isinstance(trainable, bool):
        raise ConfigError(f"{where}: trainable={trainable}: must be true or false")
    if "*" in name and spec.get("repeat") is None:
        raise ConfigError(f"{where}: give repeat, how many layers * stands for")
    for layer in range(spec["repeat"] if "*" in name else 1):
        yield Shape(name.replace("*", str(layer)), tuple(shape), dtype, trainable)


def _adapters(matrix: Shape, rank: int, dtype: str) -> Iterator[Shape]:
    """Yield the adapters of a matrix, of the spec's own dtype, as the frozen matrix may be quantised; else nothing."""
    if not matrix.trainable or len(matrix.shape) != 2:
        return
    outputs, inputs = matrix.shape
    name = matrix.name.removesuffix(".weight")
    yield Shape(f"{name}.lora_A.weight", (rank, inputs), dtype)
    yield Shape(f"{name}.lora_B.weight", (outputs, rank), dtype)


def _check_dtype(dtype: Any, where: str) -> None:
    if dtype not in ITEM_BYTES:
        known = f"must be one of {', '.join(ITEM_BYTES)}{nearest(str(dtype), ITEM_BYTES)}"
        raise ConfigError(f"{where}: dtype={dtype}: {known}")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
