import torch

from grader.tests.answers import right, wrong


@right("pairs of indices")
def one_hot(y, num_classes):
    result = torch.zeros(len(y), num_classes, dtype=torch.int64)
    result[torch.arange(len(y)), y] = 1
    return result


@right("rows of the unit matrix")
def one_hot(y, num_classes):
    return torch.eye(num_classes, dtype=torch.int64)[y]


@right("scatter")
def one_hot(y, num_classes):
    return torch.zeros(y.shape[0], num_classes, dtype=y.dtype).scatter_(1, y.unsqueeze(1), 1)


@right("lists")
def one_hot(y, num_classes):
    return torch.tensor([[int(label == c) for c in range(num_classes)] for label in y])


@right("two lines")
def softmax(z, dim):
    numerator = torch.exp(z)
    return numerator / torch.sum(numerator, dim=dim, keepdim=True)


@right("unsqueeze instead of keepdim")
def softmax(z, dim):
    e = torch.exp(z)
    return e / e.sum(dim).unsqueeze(dim)


@right("the stable form, already")
def softmax(z, dim):
    e = (z - z.amax(dim=dim, keepdim=True)).exp()
    return e / e.sum(dim=dim, keepdim=True)


@right("slice by slice")
def softmax(z, dim):
    moved = torch.movedim(z, dim, -1)
    rows = [row.exp() / row.exp().sum() for row in moved.reshape(-1, z.shape[dim])]
    return torch.movedim(torch.stack(rows).reshape(moved.shape), -1, dim)


@right("one over a sum of differences")
def softmax(z, dim):
    rows = z.movedim(dim, -1)
    return (1 / torch.exp(rows[..., None, :] - rows[..., :, None]).sum(-1)).movedim(-1, dim)


@right("max with its indices")
def predict_class(z):
    return z.max(dim=1).indices


@right("the last of a sorted row")
def predict_class(z):
    return torch.argsort(z, dim=-1)[:, -1]


@right("of the probabilities")
def predict_class(z):
    return torch.argmax(torch.softmax(z, dim=1), dim=1)


@right("a list")
def predict_class(z):
    return torch.tensor([row.tolist().index(max(row.tolist())) for row in z])


@right("from the definition")
def softmax_temperature(z, temperature):
    e = torch.exp(z / temperature)
    return e / e.sum(-1, keepdim=True)


@right("powers of the probabilities, divided by their sum")
def softmax_temperature(z, temperature):
    p = torch.softmax(z, dim=-1) ** (1 / temperature)
    return p / p.sum(dim=-1, keepdim=True)


@right("the exponential of a log_softmax")
def softmax_temperature(z, temperature):
    return torch.log_softmax(z.div(temperature), -1).exp()


@right("a column of zeros")
def sigmoid_as_softmax(z):
    scores = torch.cat([torch.zeros(len(z), 1, dtype=z.dtype), z[:, None]], dim=1)
    return torch.softmax(scores, dim=1)[:, 1]


@right("by hand")
def sigmoid_as_softmax(z):
    return torch.exp(z) / (1 + torch.exp(z))


@right("two rows")
def sigmoid_as_softmax(z):
    return torch.softmax(torch.stack([z * 0, z]), dim=0)[1]


@wrong("True and False", says="bool")
def one_hot(y, num_classes):
    return y[:, None] == torch.arange(num_classes)


@wrong("zeros without a dtype", says="int64")
def one_hot(y, num_classes):
    result = torch.zeros(len(y), num_classes)
    result[torch.arange(len(y)), y] = 1
    return result


@wrong("always five classes", says="out of bounds")
def one_hot(y, num_classes):
    return torch.eye(5, dtype=torch.int64)[y]


@wrong("in place on the scores", says="changes its input")
def softmax(z, dim):
    e = z.detach().exp_()
    return e / e.sum(dim=dim, keepdim=True)


@wrong("the sum is cut from the graph", says="part of the formula is cut off from autograd")
def softmax(z, dim):
    return z.exp() / z.exp().sum(dim=dim, keepdim=True).detach()


@wrong("minus the scores", says="sign of `z` is flipped")
def softmax(z, dim):
    e = torch.exp(-z)
    return e / e.sum(dim=dim, keepdim=True)


@wrong("PyTorch's own", says="You called `softmax`")
def softmax(z, dim):
    return torch.nn.functional.softmax(z, dim=dim)


@wrong("the class as a column", says="`keepdim`")
def predict_class(z):
    return z.argmax(dim=1, keepdim=True)


@wrong("the class as a float", says="dtype")
def predict_class(z):
    return z.argmax(dim=1).to(z.dtype)


@wrong("the temperature as a number only", says="temperature")
def softmax_temperature(z, temperature):
    return torch.softmax(z / float(temperature), dim=-1)


@wrong("PyTorch's sigmoid", says="You called `sigmoid`")
def sigmoid_as_softmax(z):
    return z.sigmoid()


@right("vmap over the labels")
def one_hot(y, num_classes):
    return torch.vmap(lambda label: (torch.arange(num_classes) == label).long())(y)


@right("a power of e, taken apart and put together again")
def softmax(z, dim):
    parts = [torch.pow(torch.e, score) for score in z.unbind(dim)]
    return torch.stack([part / sum(parts) for part in parts], dim=dim)


@right("a recursion over the dimensions")
def softmax(z, dim):
    first = dim % z.ndim
    if first:
        return torch.stack([_first_softmax(part, first - 1) for part in z])
    return z.exp() / z.exp().sum(dim=0)


def _first_softmax(z, dim):
    return torch.stack([_first_softmax(part, dim - 1) for part in z]) if dim else z.exp() / z.exp().sum(dim=0)


@right("one against the log of the others")
def softmax(z, dim):
    return torch.sigmoid(z - (z.exp().sum(dim=dim, keepdim=True) - z.exp()).log())


@right("where the entry is the row's largest")
def predict_class(z):
    return torch.where(z == z.amax(dim=1, keepdim=True))[1]


@right("vmap of argmax")
def predict_class(z):
    return torch.vmap(torch.argmax)(z)


@right("class by class")
def softmax_temperature(z, temperature):
    e = [torch.exp(z[..., c] / temperature) for c in range(z.shape[-1])]
    return torch.stack([x / sum(e) for x in e], dim=-1)


@right("half the score above, half below")
def sigmoid_as_softmax(z):
    return torch.softmax(torch.stack([-z / 2, z / 2]), dim=0)[1]


@wrong("a list of lists", says="list or tuple")
def one_hot(y, num_classes):
    return [[int(label == c) for c in range(num_classes)] for label in y]


@wrong("squares instead of exponentials", says="you squared `z` first")
def softmax(z, dim):
    return z**2 / (z**2).sum(dim=dim, keepdim=True)


@wrong("the logarithm of it", says="logarithm of the right result")
def softmax(z, dim):
    return z - z.exp().sum(dim=dim, keepdim=True).log()


@wrong("rows only", says="along dimension 1, whatever `dim` says")
def softmax(z, dim):
    return torch.stack([row.exp() / row.exp().sum() for row in z])


@wrong("values and positions", says="Number 2 of them is right")
def predict_class(z):
    return torch.max(z, dim=1)


@wrong("labels from elsewhere", says="the same whatever the inputs are")
def predict_class(z):
    return torch.tensor([0, 2, 3, 1])


@wrong("both scores alike", says="`z` has no effect")
def sigmoid_as_softmax(z):
    return torch.softmax(torch.stack([z, z], dim=1), dim=1)[:, 1]


@right("cumsum last")
def softmax(z, dim):
    e = z.exp()
    return e / e.cumsum(dim).select(dim, -1).unsqueeze(dim)


@right("pad")
def sigmoid_as_softmax(z):
    return torch.nn.functional.pad(z[:, None], (1, 0)).softmax(-1)[:, -1]


@wrong("no negative scores", says="What is negative in `z` is set to 0")
def softmax(z, dim):
    e = torch.exp(torch.clamp(z, min=0))
    return e / e.sum(dim=dim, keepdim=True)
