"""The command ``vmwright``: its sub-commands and their options.

What a command does is in a module of its own, imported when it runs, so that the program starts quickly.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="vmwright",
    help="Azure VM Image Builder on your own machines: the same templates, local builds.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
sources = typer.Typer(help="The catalogue behind PlatformImage sources.", no_args_is_help=True)
app.add_typer(sources, name="sources")


class Machine(StrEnum):
    """What may run a build."""

    AUTO = "auto"
    VM = "vm"
    CONTAINER = "container"


class CheckFormat(StrEnum):
    """How check reports."""

    TEXT = "text"
    JSON = "json"


Template = Annotated[Path, typer.Argument(metavar="TEMPLATE", help="An image template, JSON.")]
Values = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Fill the placeholder <NAME>. May be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: an array, newest first.")]


@app.command()
def build(
    template: Template,
    *,
    values: Values = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Put the finished files there.")] = None,
    formats: Annotated[
        str | None, typer.Option("--format", metavar="vhd,qcow2,raw", help="Disk formats for --out.")
    ] = None,
    machine: Annotated[Machine | None, typer.Option(help="What runs the build; default: auto.")] = None,
    name: Annotated[str | None, typer.Option(help="The template's name; default: its file's.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON event a line.")] = False,
) -> None:
    """Build an image from a template, here and now."""
    from vmwright.cli import build as command

    command.build(
        template,
        values=values or [],
        out=out,
        formats=formats,
        machine=machine.value if machine else None,
        name=name,
        as_json=json,
    )


@app.command()
def check(
    templates: Annotated[list[Path], typer.Argument(metavar="TEMPLATE...", help="Image templates, JSON.")],
    values: Values = None,
    api_version: Annotated[
        str | None, typer.Option(metavar="V", help="For request bodies that do not name theirs.")
    ] = None,
    output: Annotated[CheckFormat, typer.Option("--format", help="How to report.")] = CheckFormat.TEXT,
) -> None:
    """Check templates offline: every problem with its JSON path, line and what to write."""
    from vmwright.cli import check as command

    command.check(templates, values=values or [], api_version=api_version, as_json=output is CheckFormat.JSON)


@app.command()
def boot(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="An image's id or name, or a disk file.")],
    forward: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[HOST:]GUEST", help="Forward a port of 127.0.0.1 to the guest. May be repeated."
        ),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Wait for the guest's web server, print the page, stop."),
    ] = None,
) -> None:
    """Start an image in a throw-away virtual machine; Ctrl-C stops it."""
    from vmwright.cli import boot as command

    command.boot(image, forwards=forward or [], page=page)


@app.command()
def doctor(*, json: Json = False) -> None:
    """Tell what this host can do, what it lacks, and the command that adds it."""
    from vmwright.cli import doctor as command

    command.doctor(as_json=json)


@app.command()
def images(*, json: Json = False) -> None:
    """List the managed images that builds distributed."""
    from vmwright.cli import lists

    lists.images(as_json=json)


@app.command()
def runs(*, json: Json = False) -> None:
    """List builds and how they ended."""
    from vmwright.cli import lists

    lists.runs(as_json=json)


@app.command()
def logs(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A build's id, or its first characters.")],
) -> None:
    """Print a build's customization.log."""
    from vmwright.cli import lists

    lists.logs(run)


@sources.command("list")
def list_sources(*, json: Json = False) -> None:
    """List the catalogue."""
    from vmwright.cli import sources as command

    command.list_sources(as_json=json)


@sources.command()
def add(
    urn: Annotated[
        str, typer.Argument(metavar="PUBLISHER:OFFER:SKU[:VERSION]", help="What templates call it.")
    ],
    origin: Annotated[
        str, typer.Argument(metavar="DISK", help="A disk file, a URL, or a name in the catalogue.")
    ],
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="The SHA-256 of the file; a URL needs it.")
    ] = None,
) -> None:
    """Let a disk stand for a marketplace image."""
    from vmwright.cli import sources as command

    command.add(urn, origin, sha256=sha256)


@sources.command()
def pull(urn: Annotated[str, typer.Argument(metavar="PUBLISHER:OFFER:SKU")]) -> None:
    """Bootstrap or renew a source that this host makes itself."""
    from vmwright.cli import sources as command

    command.pull(urn)


@sources.command("rm")
def remove(urn: Annotated[str, typer.Argument(metavar="PUBLISHER:OFFER:SKU[:VERSION]")]) -> None:
    """Remove a source from the catalogue."""
    from vmwright.cli import sources as command

    command.remove(urn)


def _version(asked: bool) -> None:  # noqa: FBT001 - the form of typer's callbacks
    if asked:
        from vmwright import __version__

        typer.echo(f"vmwright {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that come before a command."""


def main() -> None:
    """Run the command line."""
    app()
