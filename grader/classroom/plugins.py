"""What nbgrader plugs in, named in nbgrader_config.py: an exporter that reads anything, Rebuild, Examine, and a collector."""
import atexit
import os
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool

from grader.author import loads, released
from grader.classroom import submission
from grader.classroom.examine import examine, new_seed
from grader.classroom.rebuild import rebuild
from grader.jail import Jail


class AnyNotebook(NotebookExporter):
    """Exports whatever lies in the notebook's place: what does not parse reaches Rebuild as an empty notebook with notes."""

    def from_filename(self, filename, resources=None, **kwargs):
        coursedir = self.parent.coursedir
        submitted = Path(coursedir.root, coursedir.submitted_directory)
        if not Path(coursedir.root, filename).is_relative_to(submitted):        # the second pass, over what Rebuild wrote
            return super().from_filename(filename, resources=resources, **kwargs)
        notebook, notes = submission.read(filename)
        notes = [*_dropped.pop(str(Path(filename).parent), ()), *notes]
        resources["grader"] = {"notes": notes, "submitted": notebook is not None}
        return self.from_notebook_node(notebook or nbformat.v4.new_notebook(), resources=resources, **kwargs)


_dropped = {}       # what the hook below removed: folder -> notes


def before_autograde(assignment, student, notebooks):
    """nbgrader's pre-convert hook: drop links and the like before nbgrader copies what they point at."""
    for notebook in map(Path, notebooks):
        _dropped[str(notebook.parent)] = submission.tidy(notebook.parent, notebook.stem)


class Rebuild(NbGraderPreprocessor):
    """Sanitising preprocessor: the course's notebook with the learner's answers in it."""

    def preprocess(self, nb, resources):
        found = resources.get("grader", {"notes": [], "submitted": True})
        result, notes = rebuild(loads(released(resources["nbgrader"]["assignment"])), nb if found["submitted"] else None)
        result.metadata["grader"] = {"notes": found["notes"] + notes}
        return result, resources


class Examine(NbGraderPreprocessor):
    """Autograding preprocessor in the place of nbgrader's Execute: judges behind walls, writes the panels and the points."""

    trust_submissions = Bool(False, help="Run submissions without walls: they can then read, write and send what this user can.").tag(config=True)

    def preprocess(self, nb, resources):
        notes = nb.metadata.get("grader", {}).get("notes", [])
        return examine(nb, shared_jail(self.trust_submissions), new_seed(), notes).notebook, resources


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
        lesson = self.coursedir.assignment_id
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "submission")
            shutil.copytree(src, copy, symlinks=True)
            for note in submission.tidy(copy, lesson):
                self.log.warning("%s: %s", src, note)
            submission.placeholder(copy, lesson)
            super().do_copy(str(copy), dest, log)
