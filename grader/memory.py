"""What a piece of torch code needs in memory, counted in bytes of tensors: the same on every machine.

with Memory(h, W) as memory:
    loss = F.cross_entropy(h @ W.T, y)
memory.most, memory.now
"""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Memory(TorchDispatchMode):
    """Counts the bytes of all tensors that are made inside it: alive `now`, and the `most` that were alive at once.

    given: tensors that are there already and do not count. A view of a tensor takes no memory of its own.
    What one operation uses inside itself is not seen, and neither is what is not torch's.
    """

    def __init__(self, *given: torch.Tensor):
        super().__init__()
        self.now = 0
        self.most = 0
        self._known = {tensor.untyped_storage().data_ptr() for tensor in given}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor):
                self._see(tensor.untyped_storage())
        return result

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # to ask the compiler to stay away would import it first: two seconds

    def _see(self, storage):
        if storage.data_ptr() in self._known:
            return
        self._known.add(storage.data_ptr())
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, storage.data_ptr(), storage.nbytes())

    def _gone(self, address, size):
        self._known.discard(address)
        self.now -= size
