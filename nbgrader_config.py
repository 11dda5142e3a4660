"""nbgrader's view of this course: which folder is which, and what is plugged in. Every nbgrader command in this folder reads it."""

from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata, SaveAutoGrades, SaveCells
from nbgrader.server_extensions.formgrader import handlers

from grader.classroom import feedback, plugins, record

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "losses"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.GenerateAssignment.force = (
    True  # the releases are in the repository: without this, nbgrader skips them and records nothing
)

# nbgrader's own steps, but for the one that refuses a lesson whose cells have changed since somebody submitted it
c.GenerateAssignment.preprocessors = [
    plugins.Cells if step is SaveCells else step for step in GenerateAssignment(config=c).preprocessors
]

# learners' code runs in a jail, verdicts are formed here; see grader/classroom
c.Autograde.exporter_class = plugins.AnyNotebook
c.Autograde.pre_convert_hook = plugins.before_autograde
c.Autograde.sanitize_preprocessors = [plugins.Rebuild, CheckCellMetadata]
c.Autograde.autograde_preprocessors = [
    plugins.Examine,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
]
c.ExchangeFactory.collect = plugins.Collect
c.ExchangeFactory.release_assignment = plugins.Release
c.ExchangeFactory.release_feedback = plugins.ReleaseFeedback

# feedback is a page of the course's own; see grader/classroom/templates/feedback
c.GenerateFeedback.exporter_class = feedback.Page
c.GenerateFeedback.preprocessors = [feedback.Verdicts]

# formgrader's formulas come from this server: nbgrader's templates, then one of the course's
c.HTMLExporter.extra_template_basedirs = [handlers.template_path, str(feedback.TEMPLATES / "formgrader")]

# the record of a grading is the course's: one that a learner put into a submission goes nowhere
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", record.FILE]
