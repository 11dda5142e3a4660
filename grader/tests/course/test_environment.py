"""What the course needs: pinned in environment.yml, told apart in pyproject.toml by who needs it, complete,
and enough."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version

import pytest
import yaml

import grader
from grader.course.lessons import ROOT
from grader.course.pins import pins

ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
PIP = next(entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LEARNER = set(PROJECT["dependencies"])
CLASSROOM = LEARNER | set(PROJECT["optional-dependencies"]["classroom"])
EVERYBODY = CLASSROOM | set(PROJECT["optional-dependencies"]["test"])


def plain(name):
    """A package's name as registries compare it: without extras, in small letters."""
    return re.sub(r"\[.*\]", "", name).lower().replace("_", "-")


def third_party(*folders):
    """The top-level modules that the Python files of these folders import, without the standard library's."""
    imported = set()
    for folder in folders:
        for path in [folder] if folder.is_file() else folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    imported.add(node.module.split(".")[0])
    return imported - set(sys.stdlib_module_names) - {"grader"}


def packages_of(modules):
    """The names of the packages that these modules come from."""
    known = packages_distributions()
    missing = {module for module in modules if module not in known}
    assert not missing, f"not installed: {missing}"
    # one module may come from several packages (a stub beside it): one of them listed is enough
    return {module: {plain(name) for name in known[module]} for module in modules}


def test_it_names_conda_forges_python_and_the_rest_under_pip():
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    assert [d for d in ENVIRONMENT["dependencies"] if isinstance(d, str)] == ["python=3.11", "pip"]
    for name in ("jupyterlab", "torch", "nbgrader", "nbval", "matplotlib"):
        assert any(p.startswith(name + "==") for p in PIP)


@pytest.mark.skipif(bool(os.environ.get("TORCH")), reason="TORCH= asks for other versions than the pins")
@pytest.mark.parametrize("pin", PIP)
def test_every_package_is_pinned_and_installed_so(pin):
    name, pinned = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[[a-z]+\])?==([0-9][0-9a-z.]*)", pin).groups()
    assert version(name).split("+")[0] == pinned  # torch's CPU build is 2.13.0+cpu


def test_what_somebody_needs_is_pinned_and_nothing_else():
    only_bounded = {"jsonschema"}  # not imported by the course: pinned for what it saves at each start
    assert {plain(name) for name in EVERYBODY} == {plain(name) for name in pins()} - only_bounded


LEARNERS_FOLDERS = [ROOT / "grader" / name for name in ("judging", "exercises", "course", "learner")]
LEARNERS_FOLDERS += [ROOT / "grader" / "__init__.py", ROOT / "grader" / "figures.py"]


@pytest.mark.parametrize(
    "listed, folders",
    [
        (LEARNER | {"pyyaml"}, [*LEARNERS_FOLDERS, *sorted((ROOT / "solutions").glob("*.py"))]),
        (
            EVERYBODY | {"scipy"},
            [ROOT / "grader"],
        ),  # scipy: for wrong answers that use it; scikit-learn brings it
    ],
    ids=["learner", "everybody"],
)
def test_every_import_is_listed_for_those_who_run_it(listed, folders):
    names = {plain(name) for name in listed}
    for module, packages in packages_of(third_party(*folders)).items():
        assert packages & names, f"{module} is imported, but {sorted(packages)} is not in pyproject.toml"


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["dynamic"]
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", grader.__version__)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(grader.__version__)}\b", changes, re.M), "the changelog begins with it"


def test_an_installed_package_checks_answers_without_a_checkout(tmp_path):
    """What `pip install .` puts into a fresh environment; its packages are lent by this one, so nothing is
    downloaded."""
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True)
    pip = [sys.executable, "-m", "pip", "--python", fresh / "bin" / "python", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-warn-script-location", ROOT], check=True, capture_output=True)
    # a line of paths in a .pth file of the fresh one, without the editable checkout itself
    (site,) = (fresh / "lib").glob("python*/site-packages")
    lent = next(p for p in map(str, sys.path) if p.endswith("site-packages"))
    (site / "lent.pth").write_text(f"import sys; sys.path.append({lent!r})\n")

    answer = tmp_path / "answers.py"
    answer.write_text("import torch\ndef sigmoid(z):\n    return 1 / (1 + torch.exp(-z))\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    settings = {"cwd": tmp_path, "env": environment, "text": True, "capture_output": True}
    done = subprocess.run([fresh / "bin" / "python", "-m", "grader", "check", "01", answer], **settings)
    assert "sigmoid: passed" in done.stdout, done.stdout + done.stderr
    where = [fresh / "bin" / "python", "-c", "import grader; print(grader.__file__)"]
    assert str(fresh) in subprocess.run(where, **settings).stdout
