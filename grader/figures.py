"""The look of every figure of the course: one colour and one line style for each loss, so that they also tell
apart in grey.

Importing this sets matplotlib's defaults; `LINE["…"]` styles a curve, `show("…")` ends a figure with its text
alternative, `interact(draw, …)` adds sliders where there is somebody to move them.
"""

import base64
import hashlib
import html
import io
import os
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np

__tracebackhide__ = True  # these frames are no learner's: see `question.raised`
# Okabe and Ito
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#7f7f7f",
)
LINE = {
    "cross-entropy": dict(color=BLUE, linestyle="-"),
    "squared error": dict(color=PURPLE, linestyle=":"),
    "naive": dict(color=RED, linestyle="--"),
    "clamped": dict(color=ORANGE, linestyle="-."),
    "stable": dict(color=BLUE, linestyle="-"),
    "sigmoid": dict(color=BLUE, linestyle="-"),
    "slope": dict(color=GREEN, linestyle="--"),
    "softmax": dict(color=BLUE, linestyle="-"),
    "weighted": dict(color=ORANGE, linestyle="--"),
    "focal": dict(color=GREEN, linestyle="-."),
    "smoothed": dict(color=PURPLE, linestyle="-."),
    "hinge": dict(color=RED, linestyle="--"),
    "soft margin": dict(color=SKY, linestyle=":"),
    "0-1 error": dict(color=GREY, linestyle="-"),
    "broken": dict(color=RED, linestyle="--"),
    "repaired": dict(color=BLUE, linestyle="-"),
    "reference": dict(color=GREY, linestyle=":"),
    "forward": dict(color=BLUE, linestyle="-"),
    "reverse": dict(color=RED, linestyle="--"),
}
CLASS = [
    dict(color=BLUE, marker="o"),
    dict(color=RED, marker="s"),
    dict(color=GREEN, marker="^"),
    dict(color=ORANGE, marker="D"),
    dict(color=PURPLE, marker="v"),
]

# Fixed margins: to measure every label and lay out anew takes half of a figure's time. A figure with long
# tick labels asks for layout="constrained".
plt.rcParams.update(
    {
        "figure.figsize": (9, 3.2),
        "figure.dpi": 80,
        "figure.facecolor": "white",
        "figure.subplot.left": 0.08,
        "figure.subplot.right": 0.98,
        "figure.subplot.bottom": 0.17,
        "figure.subplot.top": 0.9,
        "figure.subplot.wspace": 0.25,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "lines.linewidth": 2,
        "legend.frameon": False,
        "font.size": 10,
        "image.cmap": "cividis",
    }
)


# on JupyterLab's dark theme a white figure is turned dark; the second turn gives the curves their hues back
DARK = '<style>[data-jp-theme-light="false"] img.figure {filter: invert(0.93) hue-rotate(180deg)}</style>'


def show(alternative: str, measured: bool = False):
    """Show the current figure. `alternative` says in words what is to be seen: for screen readers, for text, for print.

    measured: what is drawn is a time of this machine, another at every build; the words must hold whatever it is.

    Where a class is graded only the words are shown: what a lesson draws is the same for everybody, and
    drawing it takes a third of the time that grading does. A figure of the learner's own, ended with
    `plt.show()`, is drawn there, too.
    """
    from IPython.display import display

    data, metadata = _picture(alternative)
    if measured:
        metadata.get("image/png", {}).pop("drawn", None)
    display(data, metadata=metadata, raw=True)


def interact(draw: Callable, **sliders):
    """Show the figure that `draw` draws, and in a live JupyterLab a slider for each of its arguments that
    draws it anew.

    draw: a function of the sliders' values that draws the current figure and returns its text alternative;
    sliders: for each argument (low, high, step, start). Everywhere else the figure stands as it is at `start`.
    """
    from IPython.display import display

    data, metadata = _picture(draw(**{name: start for name, (*_, start) in sliders.items()}))
    if not _live():
        return display(data, metadata=metadata, raw=True)
    from grader.learner.slider import Slider  # here, for it is needed nowhere else

    shown = display(data, metadata=metadata, raw=True, display_id=True)
    moving = {
        name: Slider(label=name, low=low, high=high, step=step, value=start)
        for name, (low, high, step, start) in sliders.items()
    }

    def moved(_: object):
        data, metadata = _picture(draw(**{name: slider.value for name, slider in moving.items()}))
        shown.update(data, metadata=metadata, raw=True)

    for slider in moving.values():
        slider.observe(moved, "value")
        display(slider)


def _picture(alternative):
    """The current figure, closed, as what a notebook displays: data and metadata."""
    figure, picture = plt.gcf(), io.BytesIO()
    if os.environ.get("NBGRADER_EXECUTION") == "autograde":
        plt.close(figure)
        return {"text/plain": alternative}, {}
    drawn = _drawn(figure)
    figure.savefig(picture, format="png", metadata={"Software": None})
    plt.close(figure)
    data = {"image/png": picture.getvalue(), "text/plain": alternative}
    if _live():  # JupyterLab gives a PNG no text alternative, an <img> it does
        source = base64.b64encode(picture.getvalue()).decode()
        data["text/html"] = (
            f'{DARK}<img class="figure" alt="{html.escape(alternative, quote=True)}" '
            f'src="data:image/png;base64,{source}">'
        )
    return data, {"image/png": {"alt": alternative, "drawn": drawn}}


def _drawn(figure) -> str:
    """A digest of what a figure shows, to two digits: the build compares it with what its words were written for."""
    shown = []
    for axes in figure.axes:
        shown += [
            axes.get_title(),
            axes.get_xlabel(),
            axes.get_ylabel(),
            *(text.get_text() for text in axes.texts),
        ]
        for line in axes.lines:
            shown += [str(line.get_label()), *map(_extent, line.get_data())]
        for points in axes.collections:
            shown.append(_extent(points.get_offsets()))
        for patch in axes.patches:
            shown.append(_extent(patch.get_extents().get_points()))
        for image in axes.images:
            shown.append(_extent(image.get_array()))
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()[:12]


def _extent(numbers) -> str:
    """How many numbers, the smallest, the largest and their mean: coarse enough to be the same on every machine."""
    values: np.ndarray = np.ma.filled(np.ma.asarray(numbers, dtype=float), np.nan)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return "none"
    return f"{values.size} {values.min():.2g} {values.max():.2g} {values.mean():.2g}"


def _live():
    """Is this the kernel of a notebook that a person has open in Jupyter? Not while building, validating,
    grading or testing."""
    return "JPY_SESSION_NAME" in os.environ and "NBGRADER_EXECUTION" not in os.environ
