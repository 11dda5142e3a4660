"""Submissions that end, hang, flood or starve what runs them. A death or a hang costs its own question, and nothing else."""

import textwrap

from grader.tests.attacks import ALL, RIGHT, WRONG, Attack


def answer(name, body, **expected):
    """`bce` does something else than answer."""
    lines = "\n".join("    " + line for line in body.splitlines())
    return Attack(
        name,
        {"bce": f'def bce(p, y, reduction="mean"):\n{lines}\n    return torch.zeros(3)[0]'},
        **{"lost": ("bce",)} | expected,
    )


def cell(name, code, **expected):
    """A cell of the learner's own does it; all answers are right."""
    return Attack(name, cell=code, **expected)


DEAF = "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"

ATTACKS = [
    answer("a loop without end", "while True: pass", says=("nothing came back",), waits=True),
    answer(
        "a loop that catches everything",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        waits=True,
    ),
    answer("a loop deaf to signals", DEAF + "while True: pass", waits=True),
    answer("a sleep", "import time; time.sleep(10**6)", waits=True),
    answer("a loop in compiled code", "import re; re.match(r'(a+)+$', 'a' * 60 + 'b')", waits=True),
    answer(
        "a lock that nobody opens",
        "import threading; lock = threading.Lock(); lock.acquire(); lock.acquire()",
        waits=True,
    ),
    answer("an end by os._exit", "import os; os._exit(0)"),
    answer("an end by sys.exit", "import sys; sys.exit(0)"),
    answer("an end by a signal", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
    answer("a crash in compiled code", "import ctypes; ctypes.string_at(0)"),
    answer("an abort", "import os; os.abort()"),
    answer(
        "a stack that overflows",
        "import sys; sys.setrecursionlimit(10**9)\nclass A:\n    def __repr__(self): return repr([self])\nrepr(A())",
    ),
    answer("a recursion without end", "return bce(p, y)"),
    answer("KeyboardInterrupt", "raise KeyboardInterrupt"),
    answer(
        "an exception that cannot be shown",
        "class Odd(Exception):\n    def __str__(self): raise SystemExit\n    __repr__ = __str__\nraise Odd",
    ),
    answer("an exception of a million characters", "raise ValueError('x' * 10**6)"),
    answer("memory without end", "kept = []\nwhile True: kept.append(bytearray(1 << 26))"),
    answer("a tensor larger than the machine", "torch.zeros(10**13)"),
    answer("a result of 800 MB", "return torch.zeros(10**8, dtype=torch.float64)"),
    answer("a result of a million tensors", "return [p] * 10**6"),
    answer("a result nested without end", "a = []\nfor _ in range(10**5): a = [a]\nreturn a"),
    answer("a result that contains itself", "a = []; a.append(a); return a"),
    answer(
        "forks without end",
        "import os\nfor _ in range(200):\n    if os.fork() == 0:\n        while True: pass",
    ),
    answer("a fork that answers too", "import os\nif os.fork() == 0: return torch.zeros(3)[0]"),
    answer(
        "threads without end",
        "import threading, time\nfor _ in range(5000): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()",
    ),
    answer("text without end", "for _ in range(10**9): print('x' * 10**5)"),
    answer(
        "a frame of one's own on the wire",
        "import os, socket\nfor n in map(int, os.listdir('/proc/self/fd')):\n    try: socket.socket(fileno=os.dup(n)).send(b'GRD1' + bytes(200))\n    except OSError: pass",
        notes=("It interfered with the way",),
    ),
    answer(
        "a right answer twice on the wire",
        "from grader.judging import wire\nkeep = wire.send\nwire.send = lambda s, *a: (keep(s, *a), keep(s, *a))",
        notes=("It interfered with the way",),
    ),
    answer("the wire is closed", "import os; os.closerange(3, 100)"),
    answer(
        "the wire drips",
        "from grader.judging import wire\nimport time\ndef drip(s, *a):\n    s.settimeout(None)\n    while True: s.send(b'G'); time.sleep(0.05)\nwire.send = drip",
        waits=True,
    ),
    answer(
        "a header of a terabyte",
        "from grader.judging import wire\nwire.send = lambda s, *a: s.sendall(wire.PREFIX.pack(wire.MAGIC, 1 << 31, 1 << 40) + b'x' * 999)",
        notes=("It interfered with the way",),
    ),
    answer(
        "a pickle on the wire",
        "from grader.judging import wire\nimport pickle, os\nclass P:\n    def __reduce__(self): return os.system, ('touch /tmp/OVER',)\nwire.send = lambda s, *a: s.sendall(pickle.dumps(P()) * 99)",
        notes=("It interfered with the way",),
    ),
    answer(
        "one case in three hangs",
        "if reduction == 'none':\n    while True: pass\n" + textwrap.dedent(RIGHT.partition("\n")[2]),
        lost=(),
        part=("bce",),
        waits=True,
    ),
    answer(
        "a backward pass that hangs",
        "class B(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x): return -(y * torch.log(x) + (1 - y) * torch.log(1 - x)).mean()\n"
        "    @staticmethod\n    def backward(ctx, g):\n        while True: pass\nreturn B.apply(p)",
        waits=True,
    ),
    answer("a result of 10**5000", "return 10**5000"),
    answer("a result whose type has a long name", "return type('A' * 10**6, (), {})()"),
    answer(
        "a list that never ends",
        "class L(list):\n    def __len__(self): return 1\n    def __iter__(self):\n        while True: yield 1.0\nreturn L()",
        waits=True,
    ),
    answer(
        "results of other kinds",
        "return (torch.zeros((), dtype=torch.float8_e4m3fn), torch.zeros(3, dtype=torch.uint16), torch.empty(2, dtype=torch.bits8), torch.zeros(2, device='meta'), "
        "p.float().to_mkldnn(), (v for v in p), lambda: 1)",
    ),
    answer("a result of four terabytes in a view", "return torch.zeros(1).expand(10**12)"),
    answer("a result of ragged rows", "return torch.nested.nested_tensor([p, p[:1]])"),
    answer("a question to nobody in an answer", "return float(input('the loss? '))", says=("EOFError",)),
    answer("a clock that stands still", "import time; time.monotonic = time.time = lambda: 0"),
    Attack(
        "every answer hangs",
        {n: f"def {n}(*a, **k):\n    while True: pass" for n in ALL},
        lost=ALL,
        waits=True,
    ),
    Attack(
        "every answer ends the interpreter",
        {n: f"import os\ndef {n}(*a, **k): os._exit(1)" for n in ALL},
        lost=ALL,
    ),
    cell("a cell that loops", "while True: pass", notes=("It did not come to an end",), waits=True),
    cell("a cell that ends the interpreter", "import os; os._exit(0)", notes=("The interpreter ended",)),
    cell("a cell that exits", "import sys; sys.exit(1)"),
    cell("a cell that does not parse", "def f(:\n  '''"),
    cell("a cell with a zero byte", "x = 1\0"),
    cell(
        "a cell that warns",
        "import warnings, sys\nwarnings.warn('careful'); print('no harm', file=sys.stderr)",
    ),
    cell("a cell that prints 100 MB", "for _ in range(1000): print('x' * 100_000)", shows=("were cut",)),
    cell(
        "a cell that shows 1000 pictures",
        "import base64, os, zlib, struct\nfrom IPython.display import display, Image\ndef chunk(k, d): return struct.pack('>I', len(d)) + k + d + struct.pack('>I', zlib.crc32(k + d))\n"
        "png = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 500, 500, 8, 0, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(os.urandom(500 * 501), 0)) + chunk(b'IEND', b'')\n"
        "for _ in range(1000): display(Image(png))",
        shows=("more outputs were cut",),
    ),
    cell(
        "a cell that leaves daemons",
        "import os\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        while True: pass",
    ),
    cell(
        "a cell that fills the disk",
        "try:\n    f = open('full', 'wb')\n    while True: f.write(bytes(1 << 20))\nexcept OSError as error: print('held', type(error).__name__)",
        shows=("held",),
    ),
    cell(
        "a cell that makes a million files",
        "import os, itertools\ntry:\n    for i in itertools.count(): open(f'f{i}', 'w').close()\nexcept OSError: pass",
        notes=("It made more files than it may",),
    ),
    cell(
        "a folder in a folder, a thousand times",
        "import os\nfor _ in range(1200): os.mkdir('d'); os.chdir('d')\nos.chdir('/box/work')",
    ),
    cell(
        "cells of other languages",
        "get_ipython().run_cell_magic('javascript', '', 'alert(1)')\nget_ipython().run_cell_magic('html', '', '<script>1</script>')",
        hides=("<script",),
    ),
    cell("a package to install", "%pip install evil\n!pip install evil"),
    cell(
        "a question to nobody",
        "import getpass, sys\nfor ask in (input, getpass.getpass, breakpoint, lambda: print(repr(sys.stdin.read()))):\n    try: ask()\n    except BaseException: print('held')",
        shows=("held",),
    ),
    cell("exit()", "exit()"),
    cell("a wait at the top", "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')", shows=("awaited",)),
    cell(
        "a wait for ever",
        "import asyncio\nasyncio.get_event_loop().create_task(asyncio.sleep(1000))\nawait asyncio.Event().wait()",
        notes=("It did not come to an end",),
        waits=True,
    ),
    cell(
        "a thread for ever",
        "import threading\ndef f():\n    while True: pass\nthreading.Thread(target=f).start()",
    ),
    cell(
        "a value whose text hangs",
        "class A:\n    def __repr__(self):\n        while True: pass\nA()",
        notes=("It did not come to an end",),
        waits=True,
    ),
    cell(
        "a value whose text ends the interpreter",
        "import os\nclass A:\n    def __repr__(self): os._exit(0)\nA()",
        notes=("The interpreter ended",),
    ),
    cell(
        "a value that shows junk",
        "class A:\n    def __repr__(self): return 5\n    def _repr_png_(self): return b'junk'\n    def _repr_html_(self): raise SystemExit\n"
        "    def _repr_mimebundle_(self, **k): return {'text/plain': object(), 'image/png': 5, 7: 8}\nA()",
    ),
    cell(
        "traces that raise",
        "import sys\ndef trace(f, e, a): raise RuntimeError\nsys.settrace(trace); sys.setprofile(trace)",
    ),
    cell("a stack of 60", "import sys; sys.setrecursionlimit(60)"),
    cell("nowhere to print to", "import sys\nsys.stdout = sys.stderr = sys.stdin = None"),
    cell("no path to import from", "import sys\nsys.path.clear(); sys.meta_path.clear()"),
    cell(
        "no more files",
        "import os, resource, sys\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\nsys.stdout.close(); os.close(1); os.close(2)",
    ),
    cell(
        "isinstance lies",
        "import builtins\nbuiltins.isinstance = lambda *a: True",
        notes=("The interpreter ended",),
    ),
    cell("gradients switched off", "import torch\ntorch.set_grad_enabled(False)"),
    cell("numbers of 16 bits", "import torch\ntorch.set_default_dtype(torch.float16)"),
    cell("warnings are errors", "import warnings; warnings.simplefilter('error')"),
    cell(
        "an exception with a long name and a long history",
        "error = None\nfor i in range(20_000):\n    new = type('N' * 10**4, (Exception,), {})('x' * 10**4)\n    new.__cause__ = error\n    error = new\n    "
        "if i == 300: raise error",
    ),
    cell(
        "exceptions in a group in a group",
        "e = ValueError()\nfor _ in range(300): e = ExceptionGroup('g', [e])\nraise e",
    ),
    cell(
        "signs that move the cursor",
        "print('\\x1b[2J\\x1b]0;x\\x07', '\\ud800', '\\0', '\\u202e')\nfor i in range(10**5): print(i, end='\\r')",
    ),
    cell(
        "a torch that has no tensors",
        "import torch\ntorch.log = torch.Tensor.log = None",
        lost=("bce_per_sample", "bce", "bce_clamped"),
    ),
    *(
        Attack(
            f"a class {what}",
            {
                "BCEWithLogits": f"import os\nclass BCEWithLogits(nn.Module):\n    def __init__(self, reduction='mean'):\n        super().__init__()\n        {init}\n"
                f"    def forward(self, z, y): {forward}"
            },
            lost=("BCEWithLogits",),
            lesson="03_bce_with_logits",
            waits=True,
        )
        for what, init, forward in (
            ("that ends the interpreter when it is made", "os._exit(0)", "return z.sum()"),
            ("that hangs when it is called", "pass", "\n        while True: pass"),
            ("that replaces itself", "self.__class__ = dict", "return z"),
        )
    ),
    Attack(
        "a class where a function is asked for",
        {
            "bce_with_logits": "class bce_with_logits(float):\n    def __new__(cls, *a, **k): return float.__new__(cls, 0)\n    def __call__(self, *a, **k): return self"
        },
        lost=("bce_with_logits", "BCEWithLogits"),
        lesson="03_bce_with_logits",
    ),
    Attack(
        "a metaclass that answers for its class",
        {
            "BCEWithLogits": "class Meta(type):\n    def __call__(cls, *a, **k): return lambda *a, **k: torch.zeros(3)[0]\nclass BCEWithLogits(metaclass=Meta): pass"
        },
        lost=("BCEWithLogits",),
        lesson="03_bce_with_logits",
    ),
    *(
        Attack(
            f"an answer that takes a function, and {what}",
            {"numerical_gradient": f"def numerical_gradient(f, x, eps=1e-6):\n    {body}"},
            lost=("numerical_gradient",),
            lesson="00_tools",
            waits=True,
        )
        for what, body in (
            ("calls it for ever", "while True: f(x)"),
            ("returns it", "return f"),
            (
                "ends the interpreter in it",
                "import os; f.__class__.__call__ = lambda *a: os._exit(0); return f(x)",
            ),
            (
                "makes it agree",
                "f.__class__.__call__ = lambda self, x: (x * 0).sum(); object.__setattr__(f, 'a', f.a * 0); return x * 0",
            ),
        )
    ),
    Attack(
        "what one answer leaves does not break the next",
        {"bce": WRONG["bce"] + "\nimport builtins\nbuiltins.len = None"},
        lost=("bce",),
    ),
]
