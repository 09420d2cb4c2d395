"""`lungline user`: who may use the page."""

import sys
from typing import Annotated, Literal

import typer

from cli.output import print_rows

app = typer.Typer(no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits, and . _ @ -")]
_COLUMNS = ("name", "role", "must_change", "created_at")


@app.callback()
def user() -> None:
    """Add, list and remove users of the page."""


@app.command()
def add(
    name: _Name,
    role: Annotated[
        Literal["reader", "admin"], typer.Option(help="reader: look, upload, label; admin: also release, promote, roll back.")
    ] = "reader",
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask for the password (or read it from standard input) instead of making one.")
    ] = False,
) -> None:
    """Add a user, or give one another password. The password is made and printed once; the user chooses another at the first log-in."""
    import getpass

    from db.tables import Role
    from lungline.settings import load
    from operations.users import add_user

    password = None
    if ask:
        password = getpass.getpass(f"Password for {name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    made = add_user(load(), name, Role(role), password)
    print(made if made else f"{name} can log in now.")


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Show all users and their roles."""
    from lungline.settings import load
    from operations.users import list_users

    print_rows([vars(user) for user in list_users(load())], as_json=as_json, columns=_COLUMNS)


@app.command()
def remove(name: _Name) -> None:
    """Remove a user and log them out. What they did stays in the audit log."""
    from lungline.settings import load
    from operations.users import remove_user

    remove_user(load(), name)
    print(f"{name} was removed.")
