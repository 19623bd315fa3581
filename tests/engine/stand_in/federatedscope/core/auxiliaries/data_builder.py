"""The data: lines of numbers in files, one file a client."""

from pathlib import Path


def get_data(config, client_cfgs=None):
    files = sorted(Path(config.data.root, config.data.type).glob("*.txt"))
    data = {number: file.read_text().split() for number, file in enumerate(files, 1)}
    asked = config.federate.client_num
    config.federate.client_num = min(asked, len(data)) if asked else len(data)
    return data, config
