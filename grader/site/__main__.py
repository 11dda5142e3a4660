"""`python -m grader.site FOLDER`: make the site's sources there."""

import sys
from pathlib import Path

from grader.site.sources import write

write(Path(sys.argv[1]))
