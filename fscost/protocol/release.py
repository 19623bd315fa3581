"""In what FederatedScope's releases differ: what is uploaded, how it is encoded, and how rounds are named."""

PROTOCOLS = ("master", "v0.3.0", "v0.2.0")
"""The FederatedScope releases whose messages differ: what is uploaded, and how it is encoded."""


BETWEEN = "v0.3.0 to master"
"""Commits from April to July 2023, and branch llm: they pickle as master does, and upload all entries as before."""


RELEASES = ("master", BETWEEN, "v0.3.0", "v0.2.0")
"""What a course may have run on that nobody metered; commits since 2022 send the messages of one of these."""


def pickles(protocol: str) -> bool:
    """Return whether a release pickles the tensors of ``model_para`` instead of sending lists of numbers."""
    return protocol == "master"


def first_evaluation_is_round_0(protocol: str) -> bool:
    """Return whether a release calls the evaluation after the first round of training that of round 0, not of 1."""
    return protocol != "v0.2.0"
