"""Submissions that look for what is not theirs. FACTS (made by the test) names things that are really there; what succeeds prints OVER."""

from grader.tests.attacks import WRONG, Attack

CLIMB = """
def climb(**ways):
    for name, way in ways.items():
        try: found = way()
        except BaseException as error: print("held:", name, type(error).__name__)
        else: print("OVER:" if found is None or found else "held:", name)
"""


def looks(name, code, **expected):
    """Everything is answered rightly; a cell of the learner's own looks around, with all that a learner has."""
    return Attack(name, cell=CLIMB + code, **{"shows": ("held",)} | expected)


def finds(name, code, **expected):
    """The answer to `bce` is whatever the code finds, or a wrong one."""
    return Attack(name, {"bce": WRONG["bce"] + "\nwrong = bce\n" + code}, lost=("bce",), **expected)


ATTACKS = [
    Attack(
        "a later lesson's answer, named in a comment",
        {
            "bce": "# ready('bce_with_logits')\ndef bce(p, y, reduction='mean'): return ready('bce_with_logits')(torch.logit(p), y, reduction)"
        },
        lost=("bce",),
        says=("it belongs to a lesson that this one does not use",),
    ),
    Attack(
        "a later lesson's answer, named in a cell of one's own",
        {
            "bce": "def bce(p, y, reduction='mean'): return getattr(-y * loss(p) - (1 - y) * loss(1 - p), reduction)()"
        },
        cell="from grader import ready\nloss = ready('log_softmax')",
        lost=("bce",),
    ),
    Attack(
        "the exercise's own name",
        {"bce": "def bce(p, y, reduction='mean'): return ready('bce')(p, y, reduction)"},
        lost=("bce",),
    ),
    Attack(
        "what is lent after a wrong answer, out of the shelf",
        {
            "bce": WRONG["bce"],
            "bce_clamped": "import grader\ndef bce_clamped(p, y, reduction='mean'): return grader._lent['bce_clamped'](p, y, reduction)",
        },
        lost=("bce", "bce_clamped"),
    ),
    Attack(
        "no attack: leaning on what is lent after a wrong answer",
        {
            "bce_per_sample": "def bce_per_sample(p, y): return p * 0",
            "bce": "def bce(p, y, reduction='mean'):\n    losses = ready('bce_per_sample')(p, y)\n"
            "    return losses if reduction == 'none' else getattr(losses, reduction)()",
        },
        lost=("bce_per_sample",),
    ),
    looks(
        "files of this machine",
        'climb(secret=lambda: open(FACTS["secret"]).read(), passwd=lambda: open("/etc/passwd").read(), shadow=lambda: open("/etc/shadow").read())',
    ),
    looks(
        "files through /proc",
        'climb(root=lambda: open("/proc/1/root" + FACTS["secret"]).read(), cwd=lambda: open("/proc/1/cwd/" + FACTS["secret"]).read(),\n'
        '      self=lambda: open("/proc/self/root" + FACTS["secret"]).read())',
    ),
    looks(
        "files through a link of one's own",
        'import os\nos.symlink(FACTS["secret"], "mine")\nclimb(link=lambda: open("mine").read())',
    ),
    looks(
        "the course's lessons and solutions",
        'import importlib, os\nclimb(lessons=lambda: importlib.import_module("grader.exercises.bce"), exercise=lambda: '
        'importlib.import_module("grader.judging.exercise"),\n      judge=lambda: importlib.import_module("grader.judging.judge"), files=lambda: os.listdir(FACTS["solutions"]),\n'
        '      text=lambda: open(FACTS["solutions"] + "/02_bce.py").read())',
    ),
    looks(
        "the gradebook",
        'import sqlite3\nclimb(book=lambda: sqlite3.connect(FACTS["gradebook"]).execute("select * from grade").fetchall(), '
        'bytes=lambda: open(FACTS["gradebook"], "rb").read())',
    ),
    looks(
        "other submissions",
        'import os\nclimb(folder=lambda: os.listdir(FACTS["submitted"]), notebooks=lambda: os.listdir(FACTS["solutions"] + "/02_bce"),\n      box=lambda: [n for n in os.listdir("/box") if n not in ("work", "tmp")])',
    ),
    looks(
        "the network",
        "import socket\ndef connect(family, address):\n    s = socket.socket(family); s.settimeout(1); s.connect(address)\n"
        'climb(tcp=lambda: connect(socket.AF_INET, ("127.0.0.1", FACTS["port"])), six=lambda: connect(socket.AF_INET6, ("::1", FACTS["port"])))',
    ),
    looks(
        "the network through urllib",
        "import urllib.request\nclimb(get=lambda: urllib.request.urlopen(f\"http://127.0.0.1:{FACTS['port']}/\", timeout=1))",
    ),
    looks(
        "a socket of this machine's",
        "import socket\ndef connect(address):\n    s = socket.socket(socket.AF_UNIX); s.settimeout(1); s.connect(address)\n"
        'climb(file=lambda: connect(FACTS["socket"]), abstract=lambda: connect("\\0" + FACTS["abstract"]))',
    ),
    looks(
        "the teacher's environment",
        'import os\ndef known(pid):\n    return FACTS["marker"] in open(f"/proc/{pid}/environ", errors="replace").read()\n'
        'climb(mine=lambda: FACTS["marker"] in str(dict(os.environ)), **{f"p{p}": lambda p=p: known(p) for p in os.listdir("/proc") if p.isdigit()})',
    ),
    looks(
        "the memory of other processes",
        'import os\nclimb(first=lambda: open("/proc/1/mem", "rb").read(1), parent=lambda: open(f"/proc/{os.getppid()}/mem", "rb").read(1), '
        'maps=lambda: open("/proc/1/maps").read())',
    ),
    looks(
        "open files of other processes",
        'import os\nclimb(first=lambda: os.listdir("/proc/1/fd"), parent=lambda: os.listdir(f"/proc/{os.getppid()}/fd"))',
    ),
    looks(
        "tracing the first process",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nclimb(attach=lambda: libc.ptrace(16, 1, 0, 0) == 0 or False, seize=lambda: libc.ptrace(0x4206, 1, 0, 0) == 0 or False)",
    ),
    looks(
        "shell and subprocess",
        'import os, subprocess\nclimb(magic=lambda: get_ipython().system("id"), cat=lambda: '
        'subprocess.run(["cat", FACTS["secret"]], capture_output=True, check=True), shell=lambda: os.popen("cat " + FACTS["secret"]).read())',
    ),
    looks(
        "a note for the next child",
        'import os\nfor d in ("/tmp", "/dev/shm", ".", "/var/tmp", "/box"):\n    try: open(f"{d}/note-7351", "w").write("the answer"); print("left one")\n'
        '    except OSError: print("held")',
    ),
    looks(
        "the note of another child",
        'import os\nclimb(**{f"d{i}": lambda d=d: open(f"{d}/note-7351").read() for i, d in enumerate(("/tmp", "/dev/shm", ".", "/var/tmp", "/box", os.path.expanduser("~")))})',
    ),
    finds(
        "the reference by frames",
        "def bce(p, y, reduction='mean'):\n    import sys\n    f, seen = sys._getframe(), []\n    while f:\n        seen += [v for v in list(f.f_locals.values()) + "
        "list(f.f_globals.values()) if getattr(v, '__name__', '') in ('bce', 'reference') and v is not bce and v is not wrong]\n        f = f.f_back\n"
        "    return seen[0](p, y, reduction) if seen else wrong(p, y)",
    ),
    finds(
        "the reference by garbage collection",
        "def bce(p, y, reduction='mean'):\n    import gc\n    gc.unfreeze()\n    found = [o for o in gc.get_objects() if type(o).__name__ in ('Exercise', 'Case', 'Asked') or "
        "callable(o) and getattr(o, '__name__', '') == 'bce' and o is not bce and o is not wrong]\n    return found[0](p, y, reduction) if found else wrong(p, y)",
    ),
    finds(
        "the expected result by garbage collection",
        "def bce(p, y, reduction='mean'):\n    import gc\n    found = [o for o in gc.get_objects() if isinstance(o, torch.Tensor) and o.ndim == 0 and o.dtype == p.dtype]\n"
        "    return found[-1] if found else wrong(p, y)",
    ),
    finds(
        "the answer from the question's frame on the wire",
        "def bce(p, y, reduction='mean'):\n    import sys\n    f = sys._getframe()\n    while f and 'header' not in f.f_locals: f = f.f_back\n"
        "    return (f.f_locals['header'].get('expected') if f else None) or wrong(p, y)",
    ),
    finds(
        "the answer of the course, lent for another exercise",
        "import grader\nbce = grader._lent.get('bce', wrong)",
    ),
    finds(
        "a seed that can be guessed",
        "def bce(p, y, reduction='mean'):\n    torch.manual_seed(0)\n    return -torch.log(torch.rand(p.shape, dtype=p.dtype)).mean()",
    ),
    Attack(
        "an answer that prints its inputs",
        {
            "bce": WRONG["bce"].replace(
                "return", "print('INPUT', p, y); open('seen', 'a').write(str(p)); return"
            )
        },
        "print('nothing yet')",
        lost=("bce",),
        hides=("INPUT",),
    ),
    Attack(
        "paths of this machine in an exception",
        {
            "bce": "import torch, sys\ndef bce(p, y, reduction='mean'): raise ValueError(torch.__file__ + str(sys.path))"
        },
        lost=("bce",),
    ),
]
