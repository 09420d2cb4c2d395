"""`lungline db`: the database itself."""

import typer

app = typer.Typer(help="Update the database.", no_args_is_help=True)


@app.callback()
def database() -> None:
    """The database."""


@app.command()
def upgrade() -> None:
    """Update the database to this version's tables and views."""
    from db import migrate
    from lungline.settings import load

    migrate.upgrade(load())
    print(f"at version {migrate.HEAD}")
