"""The learner's side: what a notebook imports, progress, the work folder, and checking from the command line."""
