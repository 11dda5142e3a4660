"""Rebuild the classification losses of PyTorch: exercises, and a judge that names the mistake."""

import torch

from grader.learner.notebook import CheckFailed, check, compare, hint, progress, ready, solution

__all__ = ["CheckFailed", "check", "compare", "hint", "progress", "ready", "solution"]

torch.set_num_threads(
    1
)  # the lessons' tensors are small: a second thread slows them down, and changes the last digit of a sum
