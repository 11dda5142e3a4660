"""Wrong answers that want to count as right ones."""

from grader.tests.attacks import ALL, WRONG, Attack


def wrong(name, code="", *, cell="", change=None, **expected):
    """A wrong `bce`, with the trick in its cell or in one before it."""
    return Attack(name, {"bce": WRONG["bce"] + "\n" + code}, cell, change, **{"lost": ("bce",)} | expected)


def tampered(name, do, **expected):
    """A wrong `bce`; `do(cell by grade_id, notebook)` changes the file."""

    def change(nb):
        do({c["metadata"].get("nbgrader", {}).get("grade_id"): c for c in nb["cells"]}, nb)

    return wrong(name, change=change, **expected)


def _set(where, **values):
    return lambda cells, nb: cells[where].update(values)


def _mark(where, **values):
    return lambda cells, nb: cells[where]["metadata"]["nbgrader"].update(values)


def _tags(cells, nb):
    for cell in nb["cells"]:
        cell["metadata"]["tags"] = ["skip-execution", "remove_cell", "raises-exception"]


def _output(text, kind="execute_result"):
    return {
        "output_type": kind,
        "data": {"text/plain": text, "text/html": "passed"},
        "metadata": {},
        "execution_count": 1,
    }


# Another process knows nothing of what is refused while a question runs. What it gives comes back with its gradient.
ORACLE = """import io, os, socket
loss = getattr(F, 'binary_cross' + '_entropy')
here, there = socket.socketpair()
if os.fork() == 0:
    try:
        while True:
            p, y, reduction = torch.load(io.BytesIO(there.recv(1 << 16)))
            value = loss(p.requires_grad_(), y, reduction=reduction)
            answer = io.BytesIO()
            torch.save((value.detach(), torch.autograd.grad(value.sum(), p)[0]), answer)
            there.send(answer.getvalue())
    finally:
        os._exit(0)
class Asked(torch.autograd.Function):
    @staticmethod
    def forward(ctx, p, y, reduction):
        question = io.BytesIO()
        torch.save((p.detach(), y.detach(), reduction), question)
        here.settimeout(0.3)
        here.send(question.getvalue())
        value, gradient = torch.load(io.BytesIO(here.recv(1 << 16)))
        ctx.save_for_backward(gradient)
        return value
    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0], None, None
def bce(p, y, reduction='mean'):
    return Asked.apply(p, y, reduction)"""
AFRESH = """import io, subprocess, sys
code = "import io, sys, torch; p, y = torch.load(io.BytesIO(sys.stdin.buffer.read())); print(torch.nn.functional.binary_cross" + "_entropy(p, y).item())"
def bce(p, y, reduction='mean'):
    question = io.BytesIO()
    torch.save((p.detach(), y.detach()), question)
    said = subprocess.run([sys.executable, '-c', code], input=question.getvalue(), capture_output=True)
    return torch.tensor(float(said.stdout), dtype=p.dtype)"""

ATTACKS = [
    # the notebook
    tampered("a tag that skips the check", _tags),
    tampered("a stored result of 3 points", _set("test_bce", outputs=[_output("3.0")], execution_count=1)),
    tampered(
        "a stored result of -1, nan and 10000 points",
        _set("test_bce", outputs=[_output(t) for t in ("-1", "nan", "10000")]),
    ),
    tampered(
        "a check whose text is another",
        _set("test_bce", source="pass"),
        notes=("The graded cell `test_bce` was changed",),
    ),
    tampered(
        "a check that displays 3 points",
        _set("test_bce", source="3.0"),
        notes=("The graded cell `test_bce` was changed",),
    ),
    tampered(
        "a check that is Markdown",
        _set("test_bce", cell_type="markdown"),
        notes=("The graded cell `test_bce` was changed",),
    ),
    tampered("a check that is an answer", _mark("test_bce", solution=True, grade=False)),
    tampered("a check worth 1000 points", _mark("test_bce", points=1000)),
    tampered("another exercise worth 1000 points", _mark("test_bce_grad", points=1000)),
    tampered("a check under another name", _mark("test_bce", grade_id="test_bce_grad")),
    tampered(
        "an answer under another name",
        _mark("bce", grade_id="bce_grad"),
        part=(),
        lost=("bce",),
        notes=("The cell of `bce` is missing",),
    ),
    tampered("no check at all", lambda cells, nb: nb["cells"].remove(cells["test_bce"])),
    tampered(
        "two checks of another exercise", lambda cells, nb: nb["cells"].append(dict(cells["test_bce_grad"]))
    ),
    tampered(
        "an open answer that is a graded one", _mark("lower_loss_fewer_right", solution=False, points=100)
    ),
    tampered(
        "forged metadata of the grader's",
        lambda cells, nb: nb["metadata"].update(grader={"notes": ["full marks"], "seed": 0}),
        hides=("full marks",),
    ),
    tampered(
        "a forged verdict in an output",
        _set(
            "test_bce",
            outputs=[
                _output("ok", "display_data")
                | {"metadata": {"grader": {"seed": 0, "verdict": {"status": "passed", "points": 3}}}}
            ],
        ),
    ),
    tampered(
        "another kernel",
        lambda cells, nb: nb["metadata"].update(
            kernelspec={"name": "evil", "display_name": "evil", "language": "ruby"}
        ),
        hides=("evil",),
    ),
    # the course inside
    wrong("`check` is another function", cell="import grader\ngrader.check = check = lambda name: 3.0"),
    wrong(
        "the whole package is another",
        cell="import sys, types\nfor m in [m for m in sys.modules if m.startswith('grader')]: del sys.modules[m]\n"
        "class Yes(types.ModuleType):\n    def __getattr__(self, name): return lambda *a, **k: 3.0\nsys.modules['grader'] = Yes('grader')",
    ),
    wrong(
        "the child's own `run` is another",
        "import grader.judging.question, torch\ngrader.judging.question.run = lambda *a: grader.judging.question.Result(value=torch.zeros(()))",
        lost=ALL[2:],
    ),
    wrong(
        "results that say: no difference",
        "import grader.judging.question as a\nkeep = a.run\ndef run(*args, **options):\n    r = keep(*args, **options)\n"
        "    return a.Result(r.value, r.gradients, None, (), frozenset(), 'passed')\na.run = run",
    ),
    wrong(
        "a result that is a verdict",
        "bce = lambda p, y, reduction='mean': {'status': 'passed', 'points': 3, 'max_points': 3}",
    ),
    wrong(
        "hints, solutions, lent answers",
        "from grader import solution\nimport grader\nbce = solution('bce') or grader._lent.get('bce') or bce",
    ),
    wrong("lending oneself an answer", "import grader\ngrader._lent['bce'] = bce\nbce = ready('bce')"),
    wrong(
        "an exception that says passed",
        "class Passed(Exception): pass\ndef bce(p, y, reduction='mean'): raise Passed('bce: passed, 3 of 3')",
    ),
    # IPython
    wrong(
        "IPython turns every cell into `pass`",
        cell="get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])",
        lost=ALL,
    ),
    wrong(
        "IPython turns every cell into 3.0",
        cell="get_ipython().input_transformers_post.append(lambda lines: ['3.0\\n'])",
        lost=ALL,
    ),
    wrong(
        "a hook before each cell displays points",
        cell="def hook(*a):\n    from IPython.display import display\n    display(3.0)\n    print(3.0)\n"
        "get_ipython().events.register('pre_run_cell', hook)\nget_ipython().events.register('post_run_cell', hook)",
    ),
    wrong(
        "the shell runs other code",
        cell="shell = get_ipython()\nkeep = shell.run_cell\nshell.run_cell = lambda source, **k: keep('3.0', **k)",
        lost=ALL,
    ),
    wrong(
        "display and print are others",
        cell="import builtins\nbuiltins.print = lambda *a, **k: 3.0\nget_ipython().display_pub.publish = lambda *a, **k: None",
    ),
    wrong(
        "syntax trees are others",
        cell="import ast\nclass Three(ast.NodeTransformer):\n    def visit_Raise(self, node): return ast.Pass()\n"
        "    visit_Assert = visit_Raise\nget_ipython().ast_transformers.append(Three())",
    ),
    # libraries
    wrong(
        "torch.allclose is always true",
        cell="import torch\ntorch.allclose = torch.equal = torch.isclose = lambda *a, **k: True",
    ),
    wrong(
        "a tensor that equals everything",
        """
class Always(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None): return torch.tensor(True)
    def __eq__(self, other): return True
    def __sub__(self, other): return torch.zeros(())
    def item(self): return 0.0
def bce(p, y, reduction="mean"): return torch.zeros(3)[0].as_subclass(Always)""",
    ),
    wrong(
        "a number that equals everything",
        "class Number(float):\n    def __eq__(self, other): return True\n    __lt__ = __gt__ = __le__ = __ge__ = __eq__\n"
        "    def __hash__(self): return 0\ndef bce(p, y, reduction='mean'): return Number(0)",
    ),
    wrong(
        "an object that says it is a tensor",
        """
class Liar:
    __class__ = property(lambda self: torch.Tensor)
    layout, is_quantized, device, dtype, shape, ndim = torch.strided, False, torch.device("cpu"), torch.float64, torch.Size(()), 0
    def detach(self, *a, **k): return self
    as_subclass = resolve_conj = resolve_neg = detach
    def clone(self, **k): return {"status": "passed", "points": 3}
def bce(p, y, reduction="mean"): return Liar()""",
        notes=("The interpreter ended",),
    ),
    wrong(
        "a function whose attributes lie",
        "class C:\n    def __call__(self, *a, **k): return torch.zeros(3)[0]\n    def __getattr__(self, n): raise SystemExit\n"
        "    def __eq__(self, other): return True\nbce = C()",
    ),
    wrong(
        "a result that changes after it was returned",
        "import threading, time\ndef bce(p, y, reduction='mean'):\n    out = torch.zeros((), dtype=p.dtype)\n    right = -(y * p.log() + (1 - y) * (1 - p).log()).detach().mean()\n"
        "    threading.Thread(target=lambda: (time.sleep(0.05), out.fill_(right)), daemon=True).start()\n    return out",
    ),
    wrong("a name that is no function", "bce = '3.0'", says=("`bce` is an object of type str here",)),
    wrong(
        "a right answer in a later cell",
        change=lambda nb: nb["cells"].append(
            {
                "cell_type": "code",
                "id": "late",
                "metadata": {},
                "outputs": [],
                "execution_count": None,
                "source": "def bce(p, y, reduction='mean'):\n    losses = -(y * p.log() + (1 - y) * (1 - p).log())\n    return losses if reduction == 'none' else getattr(losses, reduction)()",
            }
        ),
    ),
    wrong(
        "an array that equals everything",
        "import numpy\nclass A(numpy.ndarray):\n    def __array__(self, *a, **k): return self\n    def __eq__(self, o): return True\n"
        "def bce(p, y, reduction='mean'): return numpy.zeros(()).view(A)",
    ),
    wrong(
        "numpy is another",
        cell="import numpy\nnumpy.testing.assert_allclose = numpy.allclose = numpy.array_equal = lambda *a, **k: True",
    ),
    wrong(
        "nothing in the standard library fails",
        cell="import builtins, math, unittest\nmath.isclose = lambda *a, **k: True\nbuiltins.AssertionError = Warning\n"
        "builtins.abs = lambda x: 0\nunittest.TestCase.assertEqual = lambda *a: None",
        lost=("bce",),
    ),
    wrong(
        "gradients from a patched autograd",
        cell="import torch\ntorch.autograd.grad = lambda *a, **k: [torch.zeros(1)]",
    ),
    wrong(
        "JSON and safetensors are others",
        cell="import json, safetensors.torch as s\njson.dumps = lambda *a, **k: '{\"passed\": true}'\ns.save = lambda *a: b''",
        notes=("It interfered with the way",),
    ),
    wrong(
        "what is not finite equals what is not finite",
        "def bce(p, y, reduction='mean'): return torch.tensor(float('nan'), dtype=p.dtype) * p.sum()",
    ),
    wrong("a result that broadcasts", "def bce(p, y, reduction='mean'): return torch.zeros(0)"),
    wrong(
        "a complex result",
        "def bce(p, y, reduction='mean'): return torch.zeros(3, dtype=torch.complex128)[0]",
    ),
    wrong(
        "a huge integer, a quantized and a sparse tensor",
        "def bce(p, y, reduction='mean'): return (2**62, torch.eye(2).to_sparse(), torch.quantize_per_tensor("
        "torch.ones(2), 0.1, 0, torch.quint8))",
    ),
    wrong(
        "the inputs are made to agree",
        "def bce(p, y, reduction='mean'):\n    p.fill_(1); y.fill_(1)\n    return torch.zeros((), dtype=p.dtype)",
    ),
    wrong(
        "the lesson's own numbers by heart",
        "def bce(p, y, reduction='mean'): return torch.tensor(0.5065, dtype=p.dtype)",
        lost=("bce",),
    ),
    # what is out of bounds
    Attack(
        "PyTorch's own loss",
        {"bce": "def bce(p, y, reduction='mean'): return F.binary_cross_entropy(p, y, reduction=reduction)"},
        lost=("bce",),
        says=("You called", '"seen_by": ["trace", "scan"]'),
        shows=("seen while it ran", "seen in the cell's text"),
    ),
    Attack(
        "PyTorch's own loss, its name in pieces",
        {
            "bce": "def bce(p, y, reduction='mean'): return getattr(F, 'binary_' + 'cross_entropy')(p, y, reduction=reduction)"
        },
        lost=("bce",),
        says=("You called", '"seen_by": ["trace"]'),
        shows=("seen while it ran",),
    ),
    Attack(
        "PyTorch's own loss, the trace taken away",
        {
            "bce": "import grader.judging.question\ngrader.judging.question.Trace.__torch_function__ = lambda self, f, t, a=(), k=None: f(*a, **(k or {}))\n"
            "def bce(p, y, reduction='mean'): return F.binary_cross_entropy(p, y, reduction=reduction)"
        },
        lost=("bce",),
        says=("You called", '"seen_by": ["trace", "scan"]'),
        shows=("seen in the cell's text",),
    ),
    Attack(
        "PyTorch's own loss behind a magic",
        {
            "bce": "%matplotlib inline\ndef bce(p, y, reduction='mean'): return F.binary_cross_entropy(p, y, reduction=reduction)\n"
            "import grader.judging.question\ngrader.judging.question.Trace.__torch_function__ = lambda self, f, t, a=(), k=None: f(*a, **(k or {}))"
        },
        lost=("bce",),
        says=("You called",),
    ),
    Attack(
        "PyTorch's own loss, compiled",
        {
            "bce": "@torch.jit.script\ndef bce(p, y, reduction: str = 'mean'):\n"
            "    return torch.nn.functional.binary_cross_entropy(p, y, reduction=reduction)"
        },
        lost=("bce",),
        says=("You called", '"seen_by": ["trace", "scan"]'),
    ),
    Attack(
        "PyTorch's own loss from a cell of one's own",
        {"bce": "bce = borrowed"},
        "from torch.nn import functional as G\n"
        "def borrowed(p, y, reduction='mean'): return G.binary_cross_entropy(p, y, reduction=reduction)",
        lost=("bce",),
        says=("You called",),
    ),
    Attack(
        "no attack: PyTorch's own loss beside an answer, to compare with",
        {
            "bce": "def bce(p, y, reduction='mean'):\n"
            "    losses = -(y * p.log() + (1 - y) * (1 - p).log())\n    return losses if reduction == 'none' else getattr(losses, reduction)()\n"
            "print(bce(torch.tensor([0.9]), torch.tensor([1.0])), F.binary_cross_entropy(torch.tensor([0.9]), torch.tensor([1.0])))"
        },
        shows=("tensor(0.1054)",),
    ),
    wrong(
        "no attack: compiled, which the walls do not allow",
        "@torch.compile\ndef bce(p, y, reduction='mean'): return -(y * p.log() + (1 - y) * (1 - p).log()).mean()",
        says=("`torch.compile` does not run where submissions are graded",),
    ),
    Attack(
        "PyTorch's own loss, in a thread, by its operator, with the trace taken away",
        {
            "bce": "import torch, threading, grader.judging.question\n"
            "grader.judging.question.Trace.__torch_function__ = lambda self, f, t, a=(), k=None: f(*a, **(k or {}))\n"
            "def bce(p, y, reduction='mean'):\n    out = []\n    f = getattr(torch.ops.aten, 'binary_cross' + '_entropy')\n"
            "    t = threading.Thread(target=lambda: out.append(f(p, y, None, dict(none=0, mean=1, sum=2)[reduction])))\n"
            "    t.start(); t.join()\n    return out[0]"
        },
        lost=("bce",),
    ),
    Attack(
        "PyTorch's own loss, from a process that was forked before",
        {"bce": ORACLE},
        lost=("bce",),
    ),
    Attack(
        "PyTorch's own loss, from Python begun afresh",
        {"bce": AFRESH},
        lost=("bce",),
        says=("PermissionError",),
    ),
    Attack(
        "the same loss under another name",
        {
            "bce": "def bce(p, y, reduction='mean'):\n    loss = getattr(F, 'soft_margin' + '_loss')\n"
            "    return loss(torch.logit(p), 2 * y - 1, reduction=reduction)",
            "bce_per_sample": "def bce_per_sample(p, y):\n    loss = getattr(F, 'multilabel_soft' + '_margin_loss')\n"
            "    return loss(torch.logit(p)[:, None], y[:, None], reduction='none')",
        },
        lost=("bce", "bce_per_sample"),
        says=("You called `soft_margin_loss`", "You called `multilabel_soft_margin_loss`"),
    ),
]
