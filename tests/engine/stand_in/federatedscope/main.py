"""Its program, which does with ``federate.only_first`` what no other one does."""

import argparse
import os
from pathlib import Path

import yaml

from federatedscope.core.auxiliaries.data_builder import get_data
from federatedscope.core.configs.config import global_cfg
from federatedscope.core.fed_runner import Runner

os.environ.pop("https_proxy", None)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cfg")
    parser.add_argument("--client_cfg")
    words = parser.parse_args()
    config, clients = global_cfg.clone(), None
    config.merge_from_file(words.cfg)
    if words.client_cfg:
        clients = yaml.safe_load(Path(words.client_cfg).read_text())
    config.outdir = str(Path(config.outdir, config.expname))
    Path(config.outdir).mkdir(parents=True)
    data, config = get_data(config.clone(), client_cfgs=clients)
    if config.federate.only_first:
        data, config.federate.client_num = {1: data[1]}, 1
    config.freeze()
    Runner(data, config, client_configs=clients).run()
