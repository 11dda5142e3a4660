"""The look of every figure of the course: one colour and one line style for each loss, so that they also tell apart in grey.

Importing this sets matplotlib's defaults; `LINE["…"]` styles a curve, `show("…")` ends a figure with its text alternative.
"""
import io

import matplotlib.pyplot as plt

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7f7f7f"   # Okabe and Ito
LINE = {
    "cross-entropy": dict(color=BLUE, linestyle="-"),
    "squared error": dict(color=PURPLE, linestyle="--"),
    "naive": dict(color=RED, linestyle="--"),
    "clamped": dict(color=ORANGE, linestyle="-."),
    "stable": dict(color=BLUE, linestyle="-"),
    "sigmoid": dict(color=BLUE, linestyle="-"),
    "slope": dict(color=GREEN, linestyle="--"),
    "softmax": dict(color=BLUE, linestyle="-"),
    "weighted": dict(color=ORANGE, linestyle="--"),
    "focal": dict(color=GREEN, linestyle="-."),
    "hinge": dict(color=RED, linestyle="--"),
    "soft margin": dict(color=SKY, linestyle=":"),
    "0-1 error": dict(color=GREY, linestyle="-"),
    "broken": dict(color=RED, linestyle="--"),
    "repaired": dict(color=BLUE, linestyle="-"),
    "reference": dict(color=GREY, linestyle=":"),
    "forward": dict(color=BLUE, linestyle="-"),
    "reverse": dict(color=RED, linestyle="--"),
}
CLASS = [dict(color=BLUE, marker="o"), dict(color=RED, marker="s"), dict(color=GREEN, marker="^"), dict(color=ORANGE, marker="D"), dict(color=PURPLE, marker="v")]

plt.rcParams.update({
    "figure.figsize": (9, 3.2), "figure.dpi": 80, "figure.constrained_layout.use": True, "figure.facecolor": "white",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3, "lines.linewidth": 2,
    "legend.frameon": False, "font.size": 10, "image.cmap": "cividis",
})


def show(alternative):
    """Show the current figure. `alternative` says in words what is to be seen: for screen readers, for text, for print."""
    from IPython.display import display

    figure, picture = plt.gcf(), io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    plt.close(figure)
    display({"image/png": picture.getvalue(), "text/plain": alternative}, metadata={"image/png": {"alt": alternative}}, raw=True)
