"""nbgrader's view of this course: which folder is which. Every nbgrader command in this folder reads it."""
c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "losses"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.GenerateAssignment.force = True     # the releases are in the repository: without this, nbgrader skips them and records nothing
