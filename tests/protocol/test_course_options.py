"""How long a local update is, counted by hand for 25 samples in batches of 10: three in a pass, the last one short."""

import pytest

from fscost.protocol.course_options import LocalSteps


@pytest.mark.parametrize(
    ("steps", "unit", "drop_last", "more", "batches", "sample_size"),
    [
        (2, "epoch", False, {}, [3, 3], 25 + 25),
        (2, "epoch", True, {}, [2, 2], 20 + 20),
        (1, "batch", False, {}, [1], 10),
        (3, "batch", False, {}, [3], 25),
        (4, "batch", False, {}, [3, 1], 25 + 10),
        (6, "batch", False, {}, [3, 3], 25 + 25),
        (4, "batch", True, {}, [2, 2], 20 + 20),
        (1, "epoch", False, {"passes": 3}, [3, 3, 3], 25 + 25 + 25),
        (1, "epoch", False, {"repeats": 2}, [3, 3], 6 * 10),
        (4, "batch", False, {"repeats": 2}, [3, 3, 3, 1], 10 * 10),
    ],
)
def test_a_pass_has_whole_batches_and_the_last_one_what_is_left(
    steps: int, unit: str, drop_last: bool, more: dict[str, int], batches: list[int], sample_size: int
) -> None:
    schedule = LocalSteps(steps, unit, 10, drop_last, **more)
    assert schedule.batches(25) == batches
    assert schedule.sample_size(25) == sample_size


def test_a_batch_that_is_larger_than_a_client_is_all_of_it_or_none() -> None:
    assert LocalSteps(1, "epoch", 64, drop_last=False).sample_size(25) == 25
    with pytest.raises(ValueError, match="a client has 25 samples, less than a batch of 64, and drop_last is set"):
        LocalSteps(1, "epoch", 64, drop_last=True).batches(25)
