"""Options that say where a run happens, what it reads and where it writes: part of the run, but no factor of it.

Forks of FederatedScope name theirs as they like, so the words of the names count, beside a list. What is
not surely one of them is a factor: a column too many is seen, a mean over two settings is not.
"""

import re
from functools import lru_cache

_SECTIONS = ("wandb", "distribute", "llm.cache")
"""All of their options say where a run happens or writes."""

_OF_COMMANDS = ("args.", "command.")

_WRITTEN = {
    "device", "devices", "eval_device", "use_gpu", "gpu", "gpus", "gpu_id", "gpu_ids", "num_gpus", "data_para_dids",
    "num_workers", "pin_memory", "process_num", "master_addr", "master_port", "outdir", "output_dir", "out_dir",
    "result_dir", "results_dir", "work_dir", "working_folder", "exp_name", "expname", "expname_tag", "run_name",
    "verbose", "print_decimal_digits", "local_rank", "mv_to_cpu",
}  # fmt: skip

_READ = re.compile(r"(.*_)?(restore|resume|load)_from|.*_load_path")

_SAVED = re.compile(r"save(_.*)?|.*_save")
_PLACE = re.compile(r"(.*_)?(root|dir|dirs|path|paths|folder|folders|(data|base|model|ckpt|checkpoint|home)_?dir)")
_PLACES = re.compile(r"(.*\.)?(dir|dirs|path|paths|root|roots|folder|folders)\..*")
_OF_WRITING = re.compile(
    r"(.*_)?(log|logs|logging|cache|cached|tmp|temp|out|output|outputs|result|results|tensorboard)_.*"
)
_OF_LOGS = re.compile(
    r"log_(level|freq|every|interval|steps|file)|(.*_)?(tqdm|progress_bar|(log|out|work|save|cache|tmp|temp|result|output)dir)"
)
_OF_DEVICES = re.compile(r"(.*_)?(device|devices|device_id|device_ids|gpu_ids?|num_workers|n_workers|n_gpu|num_gpus)")


@lru_cache(maxsize=None)  # the cells of a grid have the same
def is_read(name: str) -> bool:
    """Return whether an option says where something is read; other data may lie there, so it is part of a cell's id."""
    last = _last(name)
    if name.startswith(_OF_COMMANDS):
        return False
    is_place = any(form.fullmatch(last) for form in (_READ, _PLACE)) or _PLACES.fullmatch(name.lower())
    return bool(is_place) and not is_host(name)


@lru_cache(maxsize=None)
def is_host(name: str) -> bool:
    """Return whether an option says where a run happens or writes, on which no result depends.

    What arguments of a command mean, ``args.…``, is not known here: each is a factor.
    """
    if name.startswith(_OF_COMMANDS):
        return False
    last = _last(name)
    if name.startswith(tuple(f"{section}." for section in _SECTIONS)) or last in _WRITTEN:
        return True
    if _PLACE.fullmatch(last) and (_OF_WRITING.fullmatch(last) or _SAVED.fullmatch(last)):
        return True
    return any(form.fullmatch(last) for form in (_SAVED, _OF_LOGS, _OF_DEVICES))


def is_save(name: str) -> bool:
    """Return whether an option says where something is saved."""
    return bool(_SAVED.fullmatch(_last(name)))


def is_provenance(name: str) -> bool:
    """Return whether an option says where, and is no factor: never a column, nor a reason to refuse a mean."""
    return is_host(name) or is_read(name)


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower()
