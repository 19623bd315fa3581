"""Completion on Tab: the script that a shell sources, and the words that it asks for."""

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence

from fscost.errors import FscostError

OwnWords = Callable[[str], Sequence[str]]
"""Returns the words that a verb has of its own, as ``--out``; for some it imports what others do not need."""

_SCRIPT = r"""# Completes fscost, and python -m fscost; whatever else python runs is completed as before.
{ _comp_load python || _completion_loader python; } >/dev/null 2>&1
[[ $(complete -p python 2>/dev/null) =~ -F\ ([^ ]+) && ${BASH_REMATCH[1]} != _fscost ]] &&
    _fscost_other=${BASH_REMATCH[1]}
_fscost() {
    local program=("${COMP_WORDS[0]/#\~/$HOME}") line=${COMP_LINE:0:COMP_POINT} found
    COMPREPLY=()
    if [[ ${program##*/} == python* ]]; then
        if [[ "${COMP_WORDS[1]} ${COMP_WORDS[2]}" != "-m fscost" || $COMP_CWORD -lt 3 ]]; then
            [[ -n $_fscost_other ]] && "$_fscost_other" "$@"
            return
        fi
        program+=(-m fscost)
    fi
    local word=${line##*[[:space:]]}
    local kept=${word%"${word##*[=:]}"}  # bash completes what stands behind the last = or :
    while IFS= read -r found; do
        COMPREPLY+=("${found#"$kept"}")
    done < <(COMP_LINE=$line "${program[@]}" -sc query=bash 2>/dev/null)
}
complete -o nospace -o bashdefault -o default -F _fscost fscost python python3
"""

_NO_MORE = """complete -r fscost python python3
[[ -n $_fscost_other ]] && complete -o bashdefault -o default -F "$_fscost_other" python python3
unset -f _fscost; unset _fscost_other
"""

_FLAGS = ("-m", "--multirun", "--help", "--version", "--cfg", "--info", "--config-dir")

_PROGRAM = re.compile(r".*?(?:^|[\s/])fscost\s+")
_FOLDER = re.compile(r"(?:^|\s)(?:--config-dir|-cd)(?:\s+|=)")


def is_ours(request: Sequence[str]) -> bool:
    """Return whether a shell's request is answered here; scripts for other shells than bash are Hydra's."""
    return len(request) == 1 and request[0].startswith(("query=", "install=bash", "uninstall=bash"))


def answer(request: str, verbs: Collection[str], own_words: OwnWords) -> str:
    """Return the lines for ``install=bash``, ``uninstall=bash`` or ``query=SHELL`` of the environment's COMP_LINE."""
    if not request.startswith("query="):
        return _SCRIPT if request.startswith("install") else _NO_MORE
    found = completions(os.environ.get("COMP_LINE", ""), verbs, own_words)
    return "".join(f"{one if request == 'query=bash' else one.rstrip()}\n" for one in found)


def completions(line: str, verbs: Collection[str], own_words: OwnWords) -> list[str]:
    """Return what the last word of a command line may become; a blank follows a word that is complete."""
    *before, word = re.split(r"\s+", _FOLDER.sub(" config_dir=", _PROGRAM.sub("", line, count=1)))
    verb = before[0] if before and before[0] in verbs else None
    known = own_words(verb) if verb else [*_FLAGS, *([] if before else verbs)]
    found = [f"{one} " for one in known if one.startswith(word) and (word or not one.startswith("-"))]
    return [*found, *_overrides(word, before)]


def _overrides(word: str, before: Sequence[str]) -> Iterator[str]:
    from fscost.plan import override_completions

    plus = "+" if word.startswith("+") else ""
    try:
        for found in override_completions(word.removeprefix("+"), before):
            yield plus + found
    except FscostError:
        return  # a folder of options that is not there yet
