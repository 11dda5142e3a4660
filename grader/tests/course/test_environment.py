"""environment.yml is the single list of pins: it parses, all is pinned, and what is installed matches."""

import re
from importlib.metadata import version

import pytest
import yaml

from grader.course.build import ROOT

ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
PIP = next(d["pip"] for d in ENVIRONMENT["dependencies"] if isinstance(d, dict))


def test_it_names_conda_forges_python_and_the_rest_under_pip():
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    assert [d for d in ENVIRONMENT["dependencies"] if isinstance(d, str)] == ["python=3.11", "pip"]
    for name in ("jupyterlab", "torch", "nbgrader", "nbval", "matplotlib"):
        assert any(p.startswith(name + "==") for p in PIP)


@pytest.mark.parametrize("pin", PIP)
def test_every_package_is_pinned_and_installed_so(pin):
    name, pinned = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[[a-z]+\])?==([0-9][0-9a-z.]*)", pin).groups()
    assert version(name).split("+")[0] == pinned  # torch's CPU build is 2.13.0+cpu


def test_the_makefile_installs_this_very_list():
    import subprocess

    sed = re.search(r"sed -n '(.*)' environment.yml", (ROOT / "Makefile").read_text())[1].replace("$$", "$")
    listed = subprocess.run(
        ["sed", "-n", sed, "environment.yml"], cwd=ROOT, text=True, capture_output=True, check=True
    ).stdout.split()
    assert listed == PIP
