"""Its options: master's but one, and four of its own."""

import copy
from pathlib import Path

import yaml

from fscost.protocol import fs_options


class Section(dict):
    def __setattr__(self, name, value):
        self[name] = value

    def __getattr__(self, name):
        if name not in self:
            raise AttributeError(name)
        return self[name]

    def is_new_allowed(self):
        return False

    def clone(self):
        return copy.deepcopy(self)

    def __deepcopy__(self, memo):
        return Section({key: copy.deepcopy(value, memo) for key, value in self.items()})

    def merge_from_other_cfg(self, other):
        for key, value in other.items():
            if isinstance(value, dict):
                self[key].merge_from_other_cfg(value)
            elif type(value) is not type(self[key]):
                raise ValueError("Type mismatch")
            else:
                self[key] = value

    def merge_from_file(self, file):
        self.merge_from_other_cfg(yaml.safe_load(Path(file).read_text()))

    def freeze(self):
        if self.federate.sketch_size < 1:
            raise AssertionError("a sketch has at least one number")


OWN = {"federate.sketch_size": 4, "federate.only_first": False, "federate.crash": "", "data.side_file": ""}

global_cfg = Section()
for name, value in {**fs_options.options(), **OWN}.items():
    *sections, last = name.split(".")
    node = global_cfg
    for section in sections:
        node = node.setdefault(section, Section())
    node[last] = value
del global_cfg.federate["unseen_clients_rate"]
