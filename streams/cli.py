"""The `kairos` command: builds the parts and gives them what they need."""

import typer

from streams.tools.dev import dev
from streams.tools.replay.command import replay

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(dev)
app.command()(replay)


@app.callback()
def kairos() -> None:
    """The right message at the right moment."""


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
