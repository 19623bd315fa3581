"""Hydra's own flags; cells never run through its main function."""

import hydra
from omegaconf import DictConfig

from fscost.resources import conf


@hydra.main(version_base="1.3", config_path=str(conf()), config_name="config")
def hydra_flags(_config: DictConfig) -> None:
    """Answer --help, --cfg job, --info, …, as ``sys.argv`` has them."""
