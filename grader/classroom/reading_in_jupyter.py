"""The page of open answers within a teacher's JupyterLab, at `/read/02_bce`: whoever is let into that server, as into formgrader, may read and
mark. In a hub this is the way to it, for there nobody reaches an address of the machine itself.

Loaded by `grader/learner/jupyter/jupyter_server_config.json`; learners' servers leave it out.
"""

import functools
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import tornado.web
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join

from grader.course.lessons import find

if TYPE_CHECKING:
    from grader.classroom.reading import Reading


def _load_jupyter_server_extension(app):
    """Called by Jupyter's server when it starts: in a course's folder only."""
    if not Path("nbgrader_config.py").exists():
        return
    base = app.web_app.settings["base_url"]
    readings: dict[str, Reading] = {}
    addresses = (r"/read/(?P<lesson>\w+)", r"/read/(?P<lesson>\w+)/(?P<question>\w+)")
    app.web_app.add_handlers(
        ".*$", [(url_path_join(base, address), OpenAnswers, {"readings": readings}) for address in addresses]
    )


class OpenAnswers(JupyterHandler):
    """A question with all its answers, and what saves one of them. Cookie and XSRF are Jupyter's, or the hub's."""

    def initialize(self, readings: "dict[str, Reading]"):
        self.readings = readings

    @functools.cached_property
    def nonce(self):
        return secrets.token_urlsafe(16)

    @property
    def content_security_policy(self):
        from grader.classroom.reading import policy

        return policy(self.nonce)

    @tornado.web.authenticated
    def get(self, lesson: str, question: str = ""):
        reading = self._reading(lesson)
        home = url_path_join(self.base_url, "read", reading.lesson, "/")
        if not question:
            self.redirect(home + reading.questions[0].name)
            return
        self.set_header("Cache-Control", "no-store")
        # written by a template that escapes
        self.finish(reading.page(question, home, self.nonce, self.xsrf_token.decode()))

    @tornado.web.authenticated
    def post(self, lesson: str, question: str = ""):
        from grader.classroom.reading import Refused

        try:
            self.finish(self._reading(lesson).saved(question, self.request.body))
        except Refused as error:
            self.set_status(400)
            self.finish({"why": str(error)})

    def _reading(self, lesson):
        """The Reading of a lesson. One for all who read here, so that an answer has the same number for them."""
        from grader.classroom.grade import GradingError, course_here
        from grader.classroom.reading import Reading

        try:
            name = find(lesson)
        except ValueError as error:
            raise tornado.web.HTTPError(404, reason=str(error)) from None
        if name not in self.readings:
            try:
                self.readings[name] = Reading(course_here(), name)
            except GradingError as error:
                raise tornado.web.HTTPError(500, reason=str(error)) from None
        if not self.readings[name].questions:
            raise tornado.web.HTTPError(404, reason=f"{name} has no open question.")
        return self.readings[name]
