"""The command line: `python -m grader …`."""
import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)


@app.callback()
def main():
    """Build the course, check answers, and grade a class."""


def _lessons(names):
    from grader.lessons import find, lessons

    try:
        return [find(n) for n in names] or lessons()
    except ValueError as error:
        err.print(str(error), style="red", highlight=False)
        raise typer.Exit(2) from None


@app.command()
def build(lesson: list[str] = typer.Argument(None, help="Lessons, as 02_bce, bce or 2; all of them by default.")):
    """Make the notebooks from the lessons' text: the instructor's (executed afresh) and the release."""
    from grader import author

    for name in _lessons(lesson or []):
        try:
            author.build(name)
            author.release(name)
        except author.LessonError as error:
            err.print(str(error), style="red", markup=False, highlight=False)
            raise typer.Exit(1) from None
        out.print(f"{name}: built", highlight=False)


if __name__ == "__main__":
    app()
