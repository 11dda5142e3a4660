"""Sphinx's configuration. It runs in the site's own environment, where the course is not installed."""

import importlib.util
import shutil
from pathlib import Path

HERE = Path(__file__).parent
# found, not imported: of the package only its files are needed
MATHJAX = Path(importlib.util.find_spec("jupyter_server_mathjax").submodule_search_locations[0], "static")

project = "Classification losses, from their definitions to PyTorch"
author = "The authors of this course"
copyright = "The authors of this course; BSD 3-Clause licence"
language = "en"

extensions = ["myst_nb", "sphinx_design", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "colon_fence", "amsmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
nb_execution_mode = "off"  # the outputs are those that the gate compares
nb_merge_streams = True
# a figure's words are its output's second form: Sphinx takes the picture, and the alternative from its metadata
suppress_warnings = ["mystnb.unknown_mime_type", "myst.header", "misc.highlighting_failure"]
exclude_patterns = ["_build"]

html_theme = "sphinx_book_theme"
html_title = "Classification losses"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_theme_options = {"show_toc_level": 2, "use_download_button": False}
html_sourcelink_suffix = ""
html_show_sourcelink = False
mathjax_path = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"
mathjax2_config = {
    "messageStyle": "none",
    "tex2jax": {"processEscapes": True, "ignoreClass": "document", "processClass": "math|output_area"},
    # the one font that lies beside it
    "HTML-CSS": {"availableFonts": [], "imageFont": None, "preferredFont": None, "webFont": "STIX-Web"},
}

linkcheck_anchors = False
linkcheck_timeout = 20


def setup(app):
    """Formulas are set without the internet: MathJax lies beside the pages."""

    def copy_mathjax(app, error):
        target = Path(app.outdir, "_static", "mathjax")
        if error is None and app.builder.format == "html" and not target.exists():
            shutil.copytree(MATHJAX, target)

    app.connect("build-finished", copy_mathjax)
