"""Wrong answers that no known mistake explains: grouped by what they do, and taught to the judge with a
sentence of the teacher's.

`groups` is pure; `write` puts a known mistake into the exercise's module, after it has been tried in every
way that the course knows.
"""

import ast
import builtins
import copy
import hashlib
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from grader.course.build import course_answer
from grader.course.files import write_whole
from grader.course.lessons import exercises, exercises_of
from grader.jail import seccomp, walls
from grader.jail.launch import JailError, usable_mode
from grader.jail.limits import Limits
from grader.judging.behaviour import behaviour, same_behaviour
from grader.judging.exercise import Exercise, Mistake
from grader.judging.judge import judge
from grader.judging.verdict import Verdict

if TYPE_CHECKING:
    from grader.judging.question import Call


SEEDS = (0, 1, 2)  # at which a new mistake must be named
TRIAL_SECONDS = 300  # for all of that, behind walls: it begins with importing torch, on a busy machine
MEMORY = 8 << 30  # bytes of address space for it
LIMITS = Limits()
# behind the walls, the course's own package and texts, and none of its commands
INSIDE = (
    f"import sys; sys.path.insert(0, {walls.WHOLE!r}); from grader.classroom.unnamed import try_inside; "
    "try_inside()"
)
SECONDS = 20  # for trying one answer at one seed
LINE = 100  # characters of a sentence in one line of the module
WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class NamingError(RuntimeError):
    """The mistake cannot be taken in; says why, and what to do."""


@dataclass(frozen=True)
class Group:
    """Learners whose answers to an exercise do the same. `id` stays as long as the one who stands for them does."""

    id: str
    exercise: str
    learners: list[str]
    source: str  # the shortest answer
    example: dict  # the smallest input that separates it: call, yours, expected
    behaviour: list


def groups(records: dict[str, dict]) -> list[Group]:
    """Of the records of a lesson (student -> record): all unnamed wrong answers, the largest group of each
    exercise first."""
    found: dict[str, list[list[str]]] = {}
    for student, record in sorted(records.items()):
        for name, verdict in record["verdicts"].items():
            if not verdict.get("behaviour"):
                continue
            same = found.setdefault(name, [])
            group = next(
                (g for g in same if same_behaviour(_does(records, g[0], name), verdict["behaviour"])), None
            )
            if group is None:
                same.append([student])
            else:
                group.append(student)
    made = [_group(records, name, learners) for name, same in found.items() for learners in same]
    return sorted(made, key=lambda g: (g.exercise, -len(g.learners), g.id))


def _does(records, student, name):
    return records[student]["verdicts"][name]["behaviour"]


def _group(records, name, learners):
    shortest = min(learners, key=lambda s: (len(_answer(records, s, name)), s))
    does = _does(records, learners[0], name)
    digest = hashlib.sha256(json.dumps([name, learners[0], does]).encode()).hexdigest()[:5]
    example = records[shortest]["verdicts"][name].get("example") or {}
    return Group(digest, name, learners, _answer(records, shortest, name), example, does)


def _answer(records, student, name):
    answer = records[student].get("answers", {}).get(name)
    if isinstance(answer, str):
        return answer
    return ""


# ---------------------------------------------------------------- a learner's words, as the course may keep them

MODULES = {"torch", "F", "nn", "math"}
# What runs text, opens files or reaches behind an object: a mistake of the course's runs in the grader's own process.
NEVER = {
    *("open", "exec", "eval", "compile", "input", "breakpoint", "exit", "quit", "help", "memoryview"),
    *("getattr", "setattr", "delattr", "vars", "globals", "locals", "type", "super", "object", "print"),
}
NO_ATTRIBUTES = {
    *(
        "load",
        "save",
        "hub",
        "jit",
        "ops",
        "compile",
        "utils",
        "classes",
        "library",
        "package",
        "serialization",
    ),
    *("distributed", "multiprocessing", "from_file", "from_blob", "set_", "share_memory_", "numpy", "tofile"),
    *(
        "cpp",
        "cuda",
        "onnx",
        "export",
        "fx",
        "backends",
        "overrides",
        "storage",
        "untyped_storage",
        "modules",
    ),
    *(
        "os",
        "sys",
        "builtins",
        "inspect",
        "importlib",
        "register_hook",
        "apply_",
        "map_",
        "map2_",
        "set_default_dtype",
    ),
    *(
        "manual_seed",
        "seed",
        "set_num_threads",
        "use_deterministic_algorithms",
        "set_grad_enabled",
        "data_ptr",
    ),
}
STATEMENTS = (  # of Python, what arithmetic needs
    *(
        ast.FunctionDef,
        ast.Lambda,
        ast.arguments,
        ast.arg,
        ast.Return,
        ast.Assign,
        ast.AugAssign,
        ast.AnnAssign,
    ),
    *(
        ast.If,
        ast.IfExp,
        ast.For,
        ast.While,
        ast.Break,
        ast.Continue,
        ast.Pass,
        ast.Expr,
        ast.Raise,
        ast.Assert,
    ),
    *(ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.BoolOp, ast.BinOp, ast.UnaryOp),
    *(ast.Compare, ast.Call, ast.keyword, ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice),
    *(ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Starred, ast.ListComp, ast.SetComp, ast.DictComp),
    *(ast.GeneratorExp, ast.comprehension, ast.NamedExpr),
)


def cleaned(source: str, exercise: Exercise) -> ast.FunctionDef:
    """The function that an answer defines, without its words: no comments, docstring or annotations, and
    names of no meaning.

    Raises NamingError where it is not plain arithmetic that the course may run in its own process.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise NamingError("The answer that stands for this group is no plain Python.") from error
    functions = [s for s in tree.body if isinstance(s, ast.FunctionDef)]
    target = next((f for f in functions if f.name == exercise.name), None)
    if target is None:
        raise NamingError(
            f"`{exercise.name}` is no plain function in the answer that stands for this group: write the "
            f"mistake by hand, in grader/exercises/{exercise.lesson}.py."
        )
    target.body = [f for f in functions if f is not target] + target.body
    target.name, target.decorator_list = "_", []
    _without_words(target)
    _only_arithmetic(target)
    return _renamed(target, set(exercise.parameters))


def _without_words(target):
    for node in ast.walk(target):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            node.body = [s for s in node.body if not _is_text(s)] or [ast.Pass()]
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            node.exc.args = []  # what an exception says


def _is_text(statement):
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _only_arithmetic(target):
    bound = _bound(target)
    for node in ast.walk(target):
        if not isinstance(node, STATEMENTS):
            _refuse(type(node).__name__)
        if isinstance(node, ast.Attribute) and (node.attr.startswith("_") or node.attr in NO_ATTRIBUTES):
            _refuse(ast.unparse(node))
        if isinstance(node, ast.Name) and node.id not in bound | MODULES:
            if node.id in NEVER or node.id.startswith("_") or not hasattr(builtins, node.id):
                _refuse(node.id)


def _refuse(what):
    raise NamingError(
        f"The answer that stands for this group uses `{what}`, which is more than arithmetic, or stands "
        "outside the function. The course runs its known mistakes in its own process: write this one by "
        "hand in the exercise's module."
    )


def _bound(target):
    names = {n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names |= {n.arg for n in ast.walk(target) if isinstance(n, ast.arg)}
    return names | {n.name for n in ast.walk(target) if isinstance(n, ast.FunctionDef)}


def _renamed(target, parameters):
    """Every name that the answer binds itself, but the parameters', becomes an ordinal: names may say whose it is."""
    given = {a.arg for a in target.args.args}
    keep = given | parameters | {"_"}
    locals_of_it = sorted(_bound(target) - keep)
    words = [w for w in WORDS if w not in keep]
    if len(locals_of_it) > len(words):
        raise NamingError("The answer that stands for this group is too long: write the mistake by hand.")
    new = dict(zip(locals_of_it, words))
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            node.id = new.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = new.get(node.arg, node.arg)
        elif isinstance(node, ast.FunctionDef):
            node.name = new.get(node.name, node.name)
        elif isinstance(node, ast.keyword) and node.arg in new:
            node.arg = new[node.arg]
    return target


# ---------------------------------------------------------------- tried, and written


def function_text(exercise: Exercise, group: Group) -> str:
    """A group's answer as the course would keep it. Nothing of it runs. Raises NamingError where it is more
    than arithmetic."""
    return ast.unparse(ast.fix_missing_locations(cleaned(group.source, exercise)))


def tried(exercise: Exercise, group: Group, says: str, hint: str = "", trust: bool = False) -> str:
    """The text, for the exercise's module, of the known mistake that a group becomes. It was tried behind
    walls, or with `trust` in this process.

    Raises NamingError where the sentence is none, the cleaned function does something else than the group,
    another mistake gives the same answers, or a mistake that is known would no longer be told by its own
    sentence; JailError where no walls can be built.
    """
    says = " ".join(says.split())
    if len(says) < 15 or says[-1] not in ".?!":
        raise NamingError(
            "That is no sentence: say what the learner did and what is right instead, with a full stop."
        )
    if any(says == m.says for m in exercise.mistakes):
        raise NamingError(f"{exercise.name} knows a mistake with this very sentence.")
    text = function_text(exercise, group)
    try_out = _behind_walls
    if trust:
        try_out = _here
    try_out(exercise, text, group.behaviour, says, hint)
    return _module_text(exercise.name, says, hint, text)


def _here(exercise, text, behaves, says, hint):
    """Try a function as a known mistake, in this very process. Raises NamingError where it cannot be one."""
    mistake = Mistake(says, defined(text, exercise), hint)
    with _patience():
        if not same_behaviour(behaviour(exercise, _asks(exercise, mistake.function)), behaves):
            raise NamingError(
                "Without its words the answer does something else than the group: write the mistake by hand."
            )
    before = _verdict(exercise, mistake.function)
    if before.passed:
        raise NamingError("This answer passes by now: grade the class again.")
    if before.mistake:
        raise NamingError(
            f"The judge has a sentence for this by now: “{before.mistake}” Grade the class again."
        )
    richer = replace(exercise, mistakes=[*exercise.mistakes, mistake], _put={})
    _still_true(richer, mistake)


def _behind_walls(exercise, text, behaves, says, hint):
    """The same in a process that sees Python and the course's own files, and nothing else of this machine: no
    gradebook, no submission, no network.

    The exercise is the course's as it is on disk. Raises NamingError as `_here` does, and JailError where
    there are no walls.
    """
    task = {"exercise": exercise.name, "text": text, "behaves": behaves, "says": says, "hint": hint}
    with seccomp.program() or _no_filter() as filtered:
        command = walls.command(
            usable_mode(LIMITS, user=True),
            LIMITS,
            filtered.fileno(),
            ("-I", "-c", INSIDE),
            walls.whole_course(),
        )
        try:
            done = subprocess.run(
                command,
                input=json.dumps(task),
                text=True,
                capture_output=True,
                cwd="/",
                timeout=TRIAL_SECONDS,
                pass_fds=[filtered.fileno()],
            )
        except subprocess.TimeoutExpired:
            raise NamingError(
                f"The answer was not tried within {TRIAL_SECONDS} seconds: write the mistake by hand."
            ) from None
    try:
        refused = json.loads(done.stdout)["refused"]
    except (ValueError, KeyError, TypeError):
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise NamingError(f"The answer could not be tried: {last[0][:200]}") from None
    if refused:
        raise NamingError(refused)


def _no_filter():
    raise JailError("There is no libseccomp (`libseccomp.so.2`) here. `./course doctor` says what to do.")


def try_inside() -> None:
    """Behind the walls: read a task, try it, say what came of it."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a function prints is no answer
    import resource  # Windows has none

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (TRIAL_SECONDS, TRIAL_SECONDS))
    task = json.load(sys.stdin)
    refused = ""
    try:
        exercise = exercises()[task["exercise"]]
        _here(exercise, task["text"], task["behaves"], task["says"], task["hint"])
    except NamingError as error:
        refused = str(error)
    except KeyboardInterrupt as error:  # _patience rang
        refused = f"{str(error).capitalize()}: write the mistake by hand."
    except MemoryError:
        refused = "The answer takes more memory than it may: write the mistake by hand."
    json.dump({"refused": refused}, answer)
    answer.close()


def _still_true(exercise, new):
    """Is each known mistake told by its own sentence, the new one, too, and does every right answer pass?"""
    for right in (exercise.reference, course_answer(exercise.name)):
        if not _verdict(exercise, right).passed:
            raise NamingError("A right answer no longer passes.")
    for mistake in exercise.mistakes:
        for seed in SEEDS if mistake is new else SEEDS[:1]:
            told = _verdict(exercise, mistake.function, seed).mistake
            if told != mistake.says:
                raise NamingError(
                    f"That is ambiguous. An answer whose mistake is “{mistake.says}” would be told "
                    f"“{told or 'nothing'}”: the two give the same answers. A case is needed that tells "
                    "them apart, or they are one mistake."
                )


def _verdict(exercise, function, seed=0) -> Verdict:
    with _patience():
        return judge(exercise, _asks(exercise, function), seed=seed)


def _asks(exercise: Exercise, function: Callable) -> Callable:
    def ask(question: "Call", gradient: tuple):
        return replace(exercise.run(function, question, gradient), called=frozenset())

    return ask


class _patience:
    """Ends what takes too long: a loop that never ends is no mistake to keep."""

    def __enter__(self):
        self.before = signal.signal(signal.SIGALRM, self.ring)
        signal.alarm(SECONDS)

    def __exit__(self, *_):
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self.before)

    @staticmethod
    def ring(*_):
        raise KeyboardInterrupt("the answer takes too long")


def defined(text: str, exercise: Exercise):
    """The function, with what the exercise's module has imported. Raises NamingError where the module does
    not import what the text uses."""
    imported = vars(sys.modules[_reference(exercise).__module__])
    used = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)} & MODULES
    if missing := sorted(used - set(imported)):
        raise NamingError(
            f"grader/exercises/{exercise.lesson}.py does not import `{missing[0]}`: import it there, "
            "and run this again."
        )
    namespace = {name: imported[name] for name in used}
    exec(compile(text, f"<a mistake of {exercise.name}>", "exec"), namespace)
    return namespace["_"]


def _reference(exercise: Exercise) -> Callable:
    assert callable(exercise.reference)
    return exercise.reference


def _module_text(name, says, hint, text):
    lines = [f"@{name}.mistake(", *_literal(says)]
    if hint:
        lines += [
            "    hint=(",
            *("    " + line for line in _literal(hint)[:-1]),
            *_last_of(hint),
            "    ),",
        ]
    return "\n".join([*lines, ")", text])


def _literal(text):
    """A text as lines of an implicitly joined literal, ended by a comma."""
    parts = textwrap.wrap(text, LINE)
    parts = [part + " " for part in parts[:-1]] + parts[-1:]
    lines = [f"    {json.dumps(part, ensure_ascii=False)}" for part in parts]
    return [*lines[:-1], lines[-1] + ","]


def _last_of(text):
    return ["    " + _literal(text)[-1].rstrip(",")]


def write(exercise: Exercise, text: str) -> Path:
    """Put the text of a known mistake behind the last one of the exercise, in its module. Raises NamingError
    where the exercise has no mistake to put it behind."""
    path = Path(inspect.getfile(_reference(exercise)))
    source = path.read_text(encoding="utf-8")
    ends = [
        node.end_lineno or 0
        for node in ast.parse(source).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and any(ast.unparse(d).startswith(f"{exercise.name}.mistake") for d in node.decorator_list)
    ]
    if not ends:
        raise NamingError(f"{path.name} has no known mistake of {exercise.name} to put this one behind.")
    lines = source.splitlines()
    lines[max(ends) : max(ends)] = ["", "", *text.splitlines()]
    made = "\n".join(lines) + "\n"
    ast.parse(made)
    write_whole(path, made)
    if formatter := shutil.which("ruff"):  # where the course is developed, its modules have one form
        subprocess.run([formatter, "format", "--quiet", str(path)], check=False)
    return path


def find(records: dict[str, dict], group: str, lesson: str) -> tuple[Exercise, Group]:
    """The exercise and the group of a lesson with this id. Raises NamingError, which names the groups there
    are."""
    made = groups(records)
    found = next((g for g in made if g.id == group), None)
    if found is None:
        there = ", ".join(f"{g.id} ({g.exercise}, {len(g.learners)})" for g in made[:10]) or "none"
        raise NamingError(
            f"There is no group {group} in {lesson}. There are: {there}. `./course report` shows them."
        )
    return exercises_of(lesson)[found.exercise], copy.deepcopy(found)
