"""The guesses of an invented class, for those who have made too few of their own. Pure, and the same wherever
it is asked for."""

import torch

SIZE = 240


def sample_class():
    """(sure, right): float64 of shape (240,) each.

    Nobody made these guesses. They are drawn from what is often found of people: guesses of which somebody is
    90 per cent sure turn out right less often than that, while the unsure ones do better than was said.
    """
    random = torch.Generator().manual_seed(12)
    sure = torch.randint(10, 21, (SIZE,), generator=random).double() / 20  # 0.5, 0.55, … 1
    chance = 0.45 + 0.6 * (sure - 0.4)
    right = torch.rand(SIZE, generator=random, dtype=torch.float64) < chance
    return sure, right.double()
