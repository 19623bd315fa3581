"""fscost: communication-cost tables of federated-learning sweeps."""

__version__ = "0.1.0"
