"""The `sigmasight` command: one sub-command per phase.

Only what `--help`, `--version` or a wrong word needs is imported here; each command imports what it
needs when it runs.
"""

import atexit
import gc
import os
import sys
from collections.abc import Callable
from typing import NoReturn

import typer

from flows.commands.assess import assess
from flows.commands.config import config
from flows.commands.cutover import follow, rollback, swap
from flows.commands.dashboard import dashboard
from flows.commands.losses import import_file
from flows.commands.output import err, outlive_readers, report, sentence, shown
from flows.commands.phases import backfill, copy, drift, migrate, rebuild, seed, serve, verify
from flows.commands.prices import prices
from flows.commands.rehearsal import rehearse
from flows.commands.retention import backup, cleanup, restore_legacy
from flows.commands.servers import down, dsn, pulumi, up
from flows.commands.status import status
from flows.commands.uninstall import uninstall

NAME = "sigmasight"
app = typer.Typer(
    name=NAME,
    help="Moves SigmaSight's database to two: Core and AI.",
    epilog="Any command takes --quiet (results and errors alone), --verbose (the engine's lines "
    "too) and --debug (the trace of a failure). `sigmasight --version` says which this is.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # the plain help is there in a third of the time
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
_INTERRUPTED = 130  # what Typer returns after Ctrl-C
_HANDS_ON = "pulumi"  # its words are another program's

app.command()(up)
app.command(_HANDS_ON, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    pulumi
)
_COMMANDS: tuple[Callable[..., None], ...] = (
    down,
    migrate,
    seed,
    copy,
    backfill,
    serve,
    verify,
    rebuild,
    drift,
    status,
    assess,
    rehearse,
    dsn,
    swap,
    rollback,
    follow,
    backup,
    restore_legacy,
    cleanup,
    dashboard,
    prices,
    uninstall,
)
for _command in _COMMANDS:
    app.command()(_command)
app.command("import")(import_file)
app.add_typer(config, name="config")


def main() -> None:
    """Run the command line: a failure is one line that says what to do, and a non-zero exit."""
    # Imports make objects that stay: to look for garbage among them, and once more at the end, is
    # a third of a short command's work. Flows and steps look for it all the same (`runner`).
    gc.disable()
    atexit.register(gc.freeze)
    outlive_readers()
    try:
        _run()
    except SystemExit as end:
        if shown.history_lost:  # the engine's threads would wait for its server for minutes
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(int(end.code or 0))
        raise
    finally:
        gc.enable()


def _run() -> NoReturn:
    words = _told(sys.argv[1:])
    if words == ["--version"]:
        _show_version()
    try:
        code = app(words or ["--help"], prog_name=NAME, standalone_mode=False)
    except typer.TyperException as error:
        _refuse_words(error)
    except Exception as error:
        if shown.debug:
            err().print_exception()
        line = sentence(error)
        if shown.as_json:
            report({**getattr(error, "document", {}), "error": line})
        _fail(line)
    if code == _INTERRUPTED:
        _fail("interrupted; run the same command again to go on", code)
    sys.exit(code)


def _show_version() -> NoReturn:
    from importlib.metadata import version

    typer.echo(f"{NAME} {version(NAME)}")
    sys.exit()


def _told(words: list[str]) -> list[str]:
    """The words for the command. Those that any command takes are heeded here, wherever they are;
    Typer knows options of one command, or of all before its name."""
    if _HANDS_ON in words:
        return words
    for name in ("quiet", "verbose", "debug"):
        setattr(shown, name, f"--{name}" in words)
    left = [word for word in words if word not in ("--quiet", "--verbose", "--debug")]
    shown.as_json = "--json" in words
    shown.command = next(iter(left), NAME)
    return left


def _refuse_words(error: typer.TyperException) -> NoReturn:
    """The command line itself is wrong."""
    line = " ".join(error.format_message().split()).replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else NAME
    _fail(f"{line.removesuffix('.')}; see `{command} --help`", error.exit_code)


def _fail(line: str, code: int = 1) -> NoReturn:
    typer.echo(f"error: {line}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
