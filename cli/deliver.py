"""`lungline deliver`: what was sent to others, and another try of what failed."""

from typing import Annotated

import typer

from cli.output import print_rows

app = typer.Typer(no_args_is_help=True)

_COLUMNS = ("delivery_id", "study_key", "target", "object", "state", "attempts", "reason", "created_at", "delivered_at")


@app.callback()
def deliver() -> None:
    """Show what results were sent to others, and send again what failed."""


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with all columns of deliveries.")] = False,
) -> None:
    """Show the newest deliveries."""
    from lungline.settings import load
    from operations.deliveries import list_deliveries

    print_rows(list_deliveries(load(), limit, failed=failed), as_json=as_json, columns=_COLUMNS)


@app.command()
def retry(
    deliveries: Annotated[list[str] | None, typer.Argument(metavar="DELIVERY", help="Their ids; without any, all that failed.")] = None,
) -> None:
    """Try failed deliveries anew, for another day."""
    from lungline.settings import load
    from operations.deliveries import retry_deliveries

    entered = retry_deliveries(load(), deliveries or [])
    print(f"{entered} {'delivery is' if entered == 1 else 'deliveries are'} tried anew.")
