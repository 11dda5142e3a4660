"""Print the versions of environment.yml, one `name==version` a line, as pip reads them by `--constraint`.

A program of its own, `python grader/course/pins.py`: it runs before the package is installed. With an argument, as
`2.14.1`, torch is pinned to that release instead; with `newest` nothing is pinned.
"""

import re
import sys
from pathlib import Path

import yaml

ENVIRONMENT = Path(__file__).resolve().parents[2] / "environment.yml"


def pins() -> dict[str, str]:
    """The pinned version of each package, by its name without extras: {"torch": "2.13.0", …}."""
    dependencies = yaml.safe_load(ENVIRONMENT.read_text(encoding="utf-8"))["dependencies"]
    listed = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    versions = {}
    for line in listed:
        name, version = line.split("==")
        versions[re.sub(r"\[.*\]", "", name)] = version
    return versions


if __name__ == "__main__":
    torch = ""
    if len(sys.argv) > 1:
        torch = sys.argv[1]
    if torch == "newest":
        chosen = {}
    else:
        chosen = pins() | ({"torch": torch} if torch else {})
    for name, version in chosen.items():
        print(f"{name}=={version}")
