"""A class: what nbgrader plugs in (Rebuild, Examine), grading many submissions, report and export."""
