"""The command ``vmwright``: its sub-commands and their options.

What a command does is in a module of its own, imported when it runs, so that the program starts quickly.
"""

from __future__ import annotations

import gc
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from vmwright import __version__

USAGE_ERROR = 2
CANCELLED = 130
# After so many new objects Python looks for those that nobody has any more: the 700 of its own are a fraction
# of one import, and what is imported stays.
NEW_OBJECTS = 50_000

app = App(
    name="vmwright",
    help="Azure VM Image Builder on your own machines: the same templates, local builds.",
    version=f"vmwright {__version__}",
    version_flags=["--version"],
    help_format="plaintext",
    default_parameter=Parameter(negative="", show_default=False),
)
sources = App(name="sources", help="The catalogue behind PlatformImage sources.")
app.command(sources)
images = App(name="images", help="The images that builds distributed: managed images, gallery versions.")
app.command(images)

cache = App(name="cache", help="What builds have left for later ones: the disk after each step.")
app.command(cache)

principals = App(name="principals", help="Who may log in to vmwright serve with a secret of its own.")
app.command(principals)

Values = Annotated[
    tuple[str, ...],
    Parameter(name="--set", help="NAME=VALUE for the placeholder <NAME> or the parameter. May be repeated."),
]
ParameterFiles = Annotated[
    tuple[Path, ...],
    Parameter(name="--parameters", help="A parameter file of a deployment template. May be repeated."),
]
Json = Annotated[bool, Parameter(name="--json", help="Print JSON: an array, newest first.")]


@app.command
def build(
    template: Annotated[Path, Parameter(help="An image template or an ARM deployment template, JSON.")],
    /,
    *,
    values: Values = (),
    parameters: ParameterFiles = (),
    out: Annotated[Path | None, Parameter(help="Put the finished files into this folder.")] = None,
    formats: Annotated[
        str | None, Parameter(name="--format", help="Disk formats for --out: vhd,qcow2,raw.")
    ] = None,
    sums: Annotated[
        bool, Parameter(help="Sum whole VHDs and raw disks, too, not only their pieces.")
    ] = False,
    machine: Annotated[
        Literal["auto", "vm", "container"] | None, Parameter(help="What runs the build; default: auto.")
    ] = None,
    name: Annotated[str | None, Parameter(help="The template's name; default: its file's.")] = None,
    detach: Annotated[bool, Parameter(help="Leave the build to a worker (vmwright worker).")] = False,
    priority: Annotated[
        int | None, Parameter(help="With --detach: higher ones are built first; default: 0.")
    ] = None,
    no_cache: Annotated[
        bool, Parameter(help="Run all steps, and keep nothing of them for later builds.")
    ] = False,
    refresh: Annotated[
        str | None, Parameter(help="Run this step (number or name) and the later ones, cached or not.")
    ] = None,
    json: Annotated[bool, Parameter(name="--json", help="Print one JSON event a line.")] = False,
) -> None:
    """Build an image from a template, here and now."""
    from vmwright.cli import build as command

    command.build(
        template,
        values=values,
        parameters=parameters,
        out=out,
        formats=formats,
        sums=sums,
        machine=machine,
        name=name,
        detach=detach,
        priority=priority,
        uses_cache=not no_cache,
        refresh=refresh,
        as_json=json,
    )


Run = Annotated[str, Parameter(help="A build's id, its first characters, or its name.")]


@app.command
def resume(
    run: Run,
    /,
    *,
    from_step: Annotated[
        int | None, Parameter(name="--from", help="Run this step and the later ones again.")
    ] = None,
    template: Annotated[
        Path | None, Parameter(help="Take the steps to come from this file, a changed form of the template.")
    ] = None,
    values: Values = (),
    parameters: ParameterFiles = (),
    json: Annotated[bool, Parameter(name="--json", help="Print one JSON event a line.")] = False,
) -> None:
    """Go on with a build that failed, was cancelled or interrupted, behind its last finished step."""
    from vmwright.cli import resuming as command

    command.resume_run(
        run, from_step=from_step, file=template, values=values, parameters=parameters, as_json=json
    )


@app.command
def distribute(
    run: Run,
    /,
    *,
    json: Annotated[bool, Parameter(name="--json", help="Print one JSON event a line.")] = False,
) -> None:
    """Try again what a build could not distribute, without building again."""
    from vmwright.cli import resuming as command

    command.distribute_run(run, as_json=json)


@app.command
def cancel(run: Run, /) -> None:
    """Cancel a build, wherever it runs; what it has distributed stays."""
    from vmwright.cli import canceling as command

    command.cancel_run(run)


@app.command
def worker(
    *,
    once: Annotated[bool, Parameter(help="End when the queue has nothing for this host.")] = False,
) -> None:
    """Take builds from the queue and run them, until told to end (SIGTERM, Ctrl-C)."""
    from vmwright.cli import worker as command

    command.work(once=once)


@app.command
def serve(
    *,
    listen: Annotated[str | None, Parameter(help="HOST:PORT; default: 127.0.0.1:8443.")] = None,
    worker: Annotated[bool, Parameter(negative="--no-worker", help="Run builds, too; default: yes.")] = True,
    new_secret: Annotated[bool, Parameter(help="Give the owner a new secret.")] = False,
) -> None:
    """Answer az, the SDKs and ARM deployments as Azure does, and run their builds, until told to end."""
    from vmwright.cli import serve as command

    command.serve(listen=listen, builds=worker, new_secret=new_secret)


@app.command
def check(
    templates: Annotated[list[Path], Parameter(help="Image or deployment templates, JSON.")],
    /,
    *,
    values: Values = (),
    parameters: ParameterFiles = (),
    api_version: Annotated[str | None, Parameter(help="For request bodies that do not name theirs.")] = None,
    output: Annotated[
        Literal["text", "json", "sarif"], Parameter(name="--format", help="How to report.")
    ] = "text",
) -> None:
    """Check templates offline: every problem with its JSON path, line and what to write."""
    from vmwright.cli import check as command

    command.check(templates, values=values, parameters=parameters, api_version=api_version, output=output)


@app.command
def schema(
    version: Annotated[str | None, Parameter(help="An api-version; default: the newest.")] = None, /
) -> None:
    """Print the JSON Schema of image templates, for editors."""
    from vmwright.cli import schema as command

    command.schema(version)


@app.command
def boot(
    image: Annotated[str, Parameter(help="An image's id or name, GALLERY/DEFINITION[/VERSION], or a file.")],
    /,
    *,
    forward: Annotated[
        tuple[str, ...],
        Parameter(help="[HOST:]GUEST: forward a port of 127.0.0.1 to the guest. May be repeated."),
    ] = (),
    page: Annotated[
        str | None, Parameter(help="Wait for the guest's web server, print the page at this path, stop.")
    ] = None,
) -> None:
    """Start an image in a throw-away virtual machine; Ctrl-C stops it."""
    from vmwright.cli import boot as command

    command.boot(image, forwards=forward, page=page)


@app.command
def verify(
    files: Annotated[list[Path], Parameter(help="Files that a build left, with their sums beside them.")], /
) -> None:
    """Check finished files against the sums beside them; say what differs."""
    from vmwright.cli import verify as command

    command.verify(files)


@app.command
def doctor(*, json: Json = False) -> None:
    """Tell what this host can do, what it lacks, and the command that adds it."""
    from vmwright.cli import doctor as command

    command.doctor(as_json=json)


@images.default
def list_images(*, json: Json = False) -> None:
    """List the managed images and gallery versions that builds distributed."""
    from vmwright.cli import images as command

    command.list_images(as_json=json)


@images.command(name="rm")
def remove_image(
    image: Annotated[str, Parameter(help="An id, a managed image's name, or GALLERY/DEFINITION/VERSION.")], /
) -> None:
    """Remove an image, a gallery version, or an empty image definition or gallery."""
    from vmwright.cli import images as command

    command.remove(image)


@app.command
def runs(*, json: Json = False) -> None:
    """List builds and how they ended."""
    from vmwright.cli import lists

    lists.runs(as_json=json)


@app.command
def templates(*, json: Json = False) -> None:
    """List the templates that were built."""
    from vmwright.cli import lists

    lists.templates(as_json=json)


@app.command
def logs(
    run: Run,
    /,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Go on until it ends.")] = False,
    url: Annotated[
        str | None, Parameter(help="Ask the service there; a token for it is in VMWRIGHT_TOKEN.")
    ] = None,
) -> None:
    """Print a build's customization.log, and its validation.log."""
    if url is None:
        from vmwright.cli import lists

        lists.logs(run, follow=follow)
    else:
        from vmwright.cli import service_logs

        service_logs.logs(run, url, follow=follow)


@sources.command(name="list")
def list_sources(*, json: Json = False) -> None:
    """List the catalogue, and the names that would be made or fetched."""
    from vmwright.cli import sources as command

    command.list_sources(as_json=json)


@sources.command
def add(
    urn: Annotated[str, Parameter(help="What templates call it: PUBLISHER:OFFER:SKU[:VERSION].")],
    disk: Annotated[str, Parameter(help="A disk file, a URL, or a name in the catalogue.")],
    /,
    *,
    sha256: Annotated[str | None, Parameter(help="The SHA-256 of the file; a URL needs it.")] = None,
) -> None:
    """Let a disk stand for a marketplace image."""
    from vmwright.cli import sources as command

    command.add(urn, disk, sha256=sha256)


@sources.command
def pull(urn: Annotated[str, Parameter(help="PUBLISHER:OFFER:SKU[:VERSION]")], /) -> None:
    """Make or fetch a source now: the newest, or the version that is named."""
    from vmwright.cli import sources as command

    command.pull(urn)


@sources.command(name="rm")
def remove(urn: Annotated[str, Parameter(help="PUBLISHER:OFFER:SKU[:VERSION]")], /) -> None:
    """Remove a source from the catalogue."""
    from vmwright.cli import sources as command

    command.remove(urn)


@cache.command(name="list")
def list_cache(*, json: Json = False) -> None:
    """List the layers of the cache on this host."""
    from vmwright.cli import cache as command

    command.list_cache(as_json=json)


@cache.command(name="prune")
def prune_cache(
    *,
    max_size: Annotated[
        str | None, Parameter(help="Keep this much, such as 10GiB; default: [cache] max_size_gib.")
    ] = None,
    all_: Annotated[bool, Parameter(name="--all", help="Keep nothing but what builds use.")] = False,
) -> None:
    """Remove what was taken longest ago, until the rest fits."""
    from vmwright.cli import cache as command

    command.prune_cache(max_size, everything=all_)


Principal = Annotated[str, Parameter(help="A name, a client id or an object id.")]


@principals.default
def list_principals(*, json: Json = False) -> None:
    """List those who have a secret."""
    from vmwright.cli import principals as command

    command.list_principals(as_json=json)


@principals.command(name="add")
def add_principal(
    name: Annotated[str, Parameter(help="What it is called.")],
    /,
    *,
    user: Annotated[bool, Parameter(help="A user, not a service principal.")] = False,
) -> None:
    """Make one, and print its secret once."""
    from vmwright.cli import principals as command

    command.add(name, is_user=user)


@principals.command(name="renew")
def renew_principal(principal: Principal, /) -> None:
    """Give one another secret, and print it once; what was given out for the old one ends."""
    from vmwright.cli import principals as command

    command.renew(principal)


@principals.command(name="rm")
def remove_principal(principal: Principal, /) -> None:
    """Remove one: its tokens end with it."""
    from vmwright.cli import principals as command

    command.remove(principal)


def main() -> None:
    """Run the command line; what leaves no command as its own error still ends as a sentence."""
    gc.set_threshold(NEW_OBJECTS)
    try:
        _run()
    finally:
        # the process ends, and all that it has goes with it: it is not looked through once more
        gc.freeze()


def _run() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(exit_on_error=False)
        sys.stdout.flush()
    except CycloptsError:
        sys.exit(USAGE_ERROR)
    except KeyboardInterrupt:
        sys.exit(CANCELLED)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            sys.exit(f"error: {error}")
        sys.exit(1)
