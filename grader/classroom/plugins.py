"""What nbgrader plugs in, named in nbgrader_config.py: an exporter that reads anything, Rebuild, Examine, and a collector."""
import atexit
import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool

from grader.author import loads, released
from grader.classroom import record, submission
from grader.classroom.examine import examine, new_seed
from grader.classroom.rebuild import rebuild
from grader.jail import Jail

STUDENT = re.compile(r"(?!\.)[\w.@+ -]{1,200}")        # what is a name of a folder only, and nothing in a page


class AnyNotebook(NotebookExporter):
    """Exports whatever lies in the notebook's place: what does not parse reaches Rebuild as an empty notebook with notes."""

    def from_filename(self, filename, resources=None, **kwargs):
        coursedir = self.parent.coursedir
        submitted = Path(coursedir.root, coursedir.submitted_directory)
        if not Path(coursedir.root, filename).is_relative_to(submitted):        # the second pass, over what Rebuild wrote
            return super().from_filename(filename, resources=resources, **kwargs)
        data, notes = submission.load(filename)
        notebook, more = submission.parse(data) if data is not None else (None, [])
        notes = [*_odd.pop(str(Path(filename).parent), ()), *notes, *more]
        resources["grader"] = {"notes": notes, "submitted": notebook is not None, "content": record.content(data)}
        return self.from_notebook_node(notebook or nbformat.v4.new_notebook(), resources=resources, **kwargs)


_odd = {}       # what the hook below found: folder -> notes


def before_autograde(assignment, student, notebooks):
    """nbgrader's pre-convert hook: make the folder safe before nbgrader copies what lies in it, or what its links point at."""
    for folder in {os.path.dirname(notebook) for notebook in notebooks}:
        _odd[str(Path(folder))] = submission.tidy(folder, assignment)


class Rebuild(NbGraderPreprocessor):
    """Sanitising preprocessor: the course's notebook with the learner's answers in it, and nothing beside it but the time."""

    def preprocess(self, nb, resources):
        found = resources.get("grader", {"notes": [], "submitted": True, "content": ""})
        result, notes = rebuild(loads(released(resources["nbgrader"]["assignment"])), nb if found["submitted"] else None)
        result.metadata["grader"] = {"notes": found["notes"] + notes, "content": found["content"]}
        _alone(self.parent.parent.coursedir, resources)
        return result, resources


def _folder(coursedir, resources):
    about = resources["nbgrader"]
    return Path(coursedir.root, coursedir.format_path(coursedir.autograded_directory, about["student"], about["assignment"]))


def _alone(coursedir, resources):
    """Files that a learner put beside the notebook stay in `submitted`: formgrader would serve a copy under the teacher's own address."""
    folder = _folder(coursedir, resources)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name != "timestamp.txt":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


class Examine(NbGraderPreprocessor):
    """Autograding preprocessor in the place of nbgrader's Execute: judges behind walls, writes the panels and the points."""

    trust_submissions = Bool(False, help="Run submissions without walls: they can then read, write and send what this user can.").tag(config=True)

    def preprocess(self, nb, resources):
        about = nb.metadata.get("grader", {})
        examined = examine(nb, shared_jail(self.trust_submissions), new_seed(), about.get("notes", ()))
        coursedir = self.parent.parent.coursedir
        lesson, folder = resources["nbgrader"]["assignment"], _folder(coursedir, resources)
        stamp = submission.timestamp(folder)
        record.save(folder, record.make(lesson, about.get("content", ""), examined) | {"timestamp": stamp and stamp.isoformat()})
        return examined.notebook, resources


_jails = {}


def shared_jail(trust=False):
    """The jail of this process, started when it is first needed."""
    if (os.getpid(), trust) not in _jails:
        jail = _jails[os.getpid(), trust] = Jail(trust=trust)
        jail.__enter__()
        atexit.register(jail.close)
    return _jails[os.getpid(), trust]


class Collect(ExchangeCollect):
    """Collects without following links, and puts a placeholder where the notebook is missing, so that it is seen and counts zero."""

    def do_copy(self, src, dest, log=None):
        student, lesson = Path(dest).parent.name, self.coursedir.assignment_id
        if not STUDENT.fullmatch(student):
            self.log.warning("%s: not collected. %r is no id of a learner.", src, student)
            with contextlib.suppress(OSError):
                Path(dest).parent.rmdir()       # nbgrader has made it already
            return
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder, "submission")
            submission.copy(src, copied)
            for note in submission.tidy(copied, lesson):
                self.log.warning("%s: %s", student, note)
            submission.placeholder(copied, lesson)
            super().do_copy(str(copied), dest, log)
