"""What an exercise is, the question put to an answer, the verdict on it. Pure: nothing here touches files or
processes."""

import torch

# the lessons' tensors are small: a second thread slows them down, and changes the last digit of a sum
torch.set_num_threads(1)
