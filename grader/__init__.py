"""Rebuild the classification losses of PyTorch: exercises, and a judge that names the mistake."""

import torch

from grader.learner.notebook import CheckFailed, check, compare, hint, progress, ready, solution

__version__ = "2.0"

__all__ = ["CheckFailed", "check", "compare", "hint", "progress", "ready", "solution"]

# the lessons' tensors are small: a second thread slows them down, and changes the last digit of a sum
torch.set_num_threads(1)
