"""Data sets and splitters of others, by name."""

data, splitters = {}, {}
register_data, register_splitter = data.__setitem__, splitters.__setitem__
