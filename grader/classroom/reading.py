"""Open answers, read side by side: a small page of this machine for each question, which writes points and
comments into nbgrader's gradebook.

`./course read 02_bce` serves it to the person who started it, and to nobody else: it listens on this machine
alone, its address holds a secret, and what changes something must come from the page itself. Of a learner's
text nothing acts: it is escaped.
"""

import hashlib
import hmac
import json
import math
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field

from markupsafe import Markup
from nbconvert.filters import markdown2html
from nbgrader.api import Gradebook, MissingEntry
from sqlalchemy.exc import SQLAlchemyError
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from grader.classroom.export import number
from grader.classroom.grade import Course
from grader.classroom.gradebook import GradebookError
from grader.classroom.marks import Mark, first, marks
from grader.classroom.prose import comment
from grader.classroom.report import environment
from grader.course.build import instructors, loads, released
from grader.course.cells import grade_id, is_grade, is_solution
from grader.course.cells import marks as cell_marks
from grader.course.pictures import numbered

OFFERED = 5  # comments that a key puts in
LONGEST = 10_000  # characters of a comment
HEADING = re.compile(r"\A#+ .*\n")  # "In your own words" stands above every open question
EMPTY = "No response."  # what grading says of an answer that was left empty


@dataclass(frozen=True)
class Question:
    """An open question of a lesson: its name, its text and the course's answer as HTML, and the most that it
    can give."""

    name: str
    asked: Markup
    model: Markup
    most: float


@dataclass(frozen=True)
class Answer:
    """What one learner wrote."""

    student: str
    text: str
    mark: Mark
    said: str  # a person's comment
    pictures: list[str] = field(default_factory=list)  # data URIs

    @property
    def version(self) -> str:
        """Another one where the learner has written something else: nobody gives points for what they have not read."""
        return hashlib.sha256("\0".join([self.text, *self.pictures]).encode()).hexdigest()[:16]

    @property
    def state(self) -> str:
        """What a reader must know of its points, in words."""
        if self.mark.again:
            return "the mark of an earlier answer, to be read again"
        if self.mark.waiting:
            return "not yet read"
        return "read"

    @property
    def points(self):
        """The points that a person gave; "" where nobody has."""
        if self.mark.manual is None:
            return ""
        return number(self.mark.manual)


def questions(lesson: str) -> list[Question]:
    """The open questions of a lesson, in its order."""
    found, asked = [], ""
    models = _model_answers(lesson)
    for cell in loads(released(lesson)).cells:
        if is_grade(cell) and is_solution(cell):
            name = grade_id(cell)
            points = float(cell_marks(cell)["points"])
            found.append(Question(name, _page_text(asked), _page_text(models.get(name, "")), points))
        elif cell.cell_type == "markdown":
            asked = HEADING.sub("", cell.source)
    return found


def _page_text(markdown):
    """The course's own Markdown as a page shows it."""
    return comment(markdown2html(markdown))


def _model_answers(lesson):
    """The course's own answers, by name; none where the solutions are not handed out."""
    path = instructors(lesson)
    if not path.is_file():
        return {}
    return {grade_id(cell): cell.source for cell in loads(path).cells if is_grade(cell) and is_solution(cell)}


def answers(course: Course, lesson: str, question: str) -> tuple[list[Answer], int]:
    """(the answers to a question, how many left it empty), in an order that says nothing of who wrote them."""
    known = marks(course, lesson)
    written: list[Answer] = []
    empty = 0
    for student in sorted(known, key=lambda student: _shuffled(lesson, question, student)):
        mark, path = (
            known[student].cells.get(question),
            course.folder("autograded", student, lesson) / f"{lesson}.ipynb",
        )
        if mark is None or student in course.excluded or not path.is_file():
            continue
        cell = next((cell for cell in loads(path).cells if grade_id(cell) == question), None)
        given = known[student].comments.get(question, "")
        if cell is None or (given == EMPTY and not mark.unread):
            empty += 1
            continue
        said = given
        if given == EMPTY:
            said = ""
        text, pictures = numbered(cell)
        written.append(Answer(student, text, mark, said, pictures))
    return written, empty


def _shuffled(lesson, question, student):
    """A place in an order that has nothing to do with the alphabet."""
    return hashlib.sha256(f"{lesson}\0{question}\0{student}".encode()).hexdigest()


def offered(given: list[Answer]) -> list[str]:
    """The comments that were given most often, to be given again."""
    counts = Counter(answer.said for answer in given if answer.said)
    return [said for said, _ in counts.most_common(OFFERED)]


def save(
    course: Course, lesson: str, question: Question, student: str, points: float | None, said: str
) -> None:
    """Write the points and the comment of a person, as formgrader does. points: None where nothing was decided.

    Raises ValueError where the points are none that the question can give; GradebookError where it cannot be written.
    """
    if points is not None and not (math.isfinite(points) and 0 <= points <= question.most):
        raise ValueError(f"{question.name} gives 0 to {question.most:g} points, not {points:g}.")
    if len(said) > LONGEST:
        raise ValueError(f"A comment has at most {LONGEST} characters.")
    try:
        with Gradebook(course.coursedir.db_url, course.coursedir.course_id) as book:
            grade = book.find_grade(question.name, lesson, lesson, student)
            if points is not None:
                grade.manual_score = points
                grade.needs_manual_grade = False
            book.find_comment(question.name, lesson, lesson, student).manual_comment = said or None
            book.db.commit()
    except (MissingEntry, SQLAlchemyError) as error:
        raise GradebookError(f"The gradebook cannot be written: {first(error)}.") from None


# ---------------------------------------------------------------- the page


class Refused(ValueError):
    """Something is not saved; says why."""


class Reading:
    """What is read: a lesson's questions, with names or without."""

    def __init__(self, course: Course, lesson: str, names: bool = False):
        self.course, self.lesson, self.names = course, lesson, names
        self.questions = questions(lesson)
        self._template = environment().get_template("read.html.j2")
        self._numbers: dict[str, int] = {}

    @property
    def is_graded(self) -> bool:
        """Is there anything to read?"""
        return bool(marks(self.course, self.lesson))

    def page(self, name: str, home: str, nonce: str, xsrf: str) -> str:
        """The page of a question. home: the address before a question's name; nonce, xsrf: what the server gives its page."""
        found, empty = answers(self.course, self.lesson, name)
        return self._template.render(
            lesson=self.lesson,
            question=self.question(name),
            questions=self.questions,
            home=home,
            answers=[(self._number(answer), answer) for answer in found],
            empty=empty,
            offered=offered(found),
            names=self.names,
            nonce=nonce,
            xsrf=xsrf,
            waiting=sum(answer.mark.unread for answer in found),
        )

    def saved(self, name: str, body: bytes) -> dict:
        """Save {"number", "version", "points", "comment"}; gives back what the page is to show. Raises Refused."""
        question = self.question(name)
        found, _ = answers(self.course, self.lesson, name)
        try:
            asked = json.loads(body)
            points = None
            if asked["points"] not in ("", None):
                points = float(asked["points"])
            meant = (asked["number"], asked["version"])
            answer = next(answer for answer in found if (self._number(answer), answer.version) == meant)
            save(self.course, self.lesson, question, answer.student, points, str(asked["comment"]).strip())
        except StopIteration:
            raise Refused("another answer has taken the place of this one: reload the page.") from None
        except (ValueError, KeyError, TypeError, GradebookError) as error:
            raise Refused(str(error)) from None
        found, _ = answers(self.course, self.lesson, name)
        now = next(other for other in found if other.student == answer.student)
        return {
            "points": now.points,
            "state": now.state,
            "unread": now.mark.unread,
            "waiting": sum(other.mark.unread for other in found),
            "offered": offered(found),
        }

    def _number(self, answer: Answer) -> int:
        """What stands for a learner where nobody is to be named: the same in all questions, as long as this serves."""
        return self._numbers.setdefault(answer.student, len(self._numbers) + 1)

    def question(self, name: str) -> Question:
        """The question of this name; HTTPError where there is none."""
        found = next((question for question in self.questions if question.name == name), None)
        if found is None:
            raise HTTPError(404)
        return found


def policy(nonce: str) -> str:
    """What the page may do: run its own script, and talk to the server that it comes from."""
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


# ---------------------------------------------------------------- a server of its own, for who started it


class _Page(RequestHandler):
    """Lets in who has the secret of the address, and nobody that another site sends."""

    def initialize(self, server):
        self.server, self.reading = server, server.reading

    def prepare(self):
        if self.request.host not in self.server.hosts:
            raise HTTPError(403)  # another site's name that leads to this machine
        given = self.get_query_argument("token", "") or self.get_cookie(self.server.cookie, "")
        if not hmac.compare_digest(given.encode(), self.server.token.encode()):
            raise HTTPError(403)

    def set_default_headers(self):
        self.nonce = secrets.token_urlsafe(16)
        self.set_header("Content-Security-Policy", policy(self.nonce))
        for name, value in HEADERS.items():
            self.set_header(name, value)


class _First(_Page):
    """The address that was printed: keeps the secret as a cookie, out of sight, and goes on to the first question."""

    def get(self):
        self.set_cookie(self.server.cookie, self.server.token, httponly=True, samesite="Strict")
        self.redirect(f"/question/{self.reading.questions[0].name}")


class _OneQuestion(_Page):
    """A question with all its answers, and what saves one of them."""

    def get(self, name):
        # written by a template that escapes
        self.finish(self.reading.page(name, "/question/", self.nonce, self.xsrf_token.decode()))

    def post(self, name):
        try:
            self.finish(self.reading.saved(name, self.request.body))
        except Refused as error:
            self.set_status(400)
            self.finish({"why": str(error)})


class Server:
    """Serves a Reading at an address of this machine."""

    def __init__(self, reading: Reading, port: int = 0):
        self.reading = reading
        self.token = secrets.token_urlsafe(24)
        self._sockets = bind_sockets(port, "127.0.0.1")
        self.port = self._sockets[0].getsockname()[1]
        self.hosts = {f"localhost:{self.port}", f"127.0.0.1:{self.port}"}
        self.cookie = f"reading-{self.port}"

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/?token={self.token}"

    def serve(self) -> None:
        """Serve the pages until somebody ends it."""
        given = {"server": self}
        pages = [("/", _First, given), (r"/question/(\w+)", _OneQuestion, given)]
        application = Application(pages, xsrf_cookies=True, xsrf_cookie_kwargs={"samesite": "Strict"})
        HTTPServer(application, max_body_size=1 << 20).add_sockets(self._sockets)
        IOLoop.current().start()
