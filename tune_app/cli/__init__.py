"""The command line: it turns arguments into actions, and an error into a message and exit code.

Commands import what they need when they run: `--help` and the reading commands must not wait
for torch or Ray.
"""

import atexit
import os
import sys
from contextlib import suppress
from typing import NoReturn

import typer

from tune_app.cli.commands import (
    check_commands,
    diagnose_command,
    export_commands,
    final_command,
    job_commands,
    read_commands,
    report_command,
    run_commands,
    serve_commands,
)
from tune_app.errors import TuneAppError
from tune_app.hints import Door
from tune_app.sweep.signals import StopRequested, StopSignals

app = typer.Typer(
    name="tune-app",
    help="Hyperparameter search for small networks under weight budgets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
run_commands.register(app)
final_command.register(app)
check_commands.register(app)
read_commands.register(app)
export_commands.register(app)
report_command.register(app)
diagnose_command.register(app)
serve_commands.register(app)
job_commands.register(app)


def main() -> None:
    """Run the command line and exit: 0 success, 1 no usable trial, 2 mistake, 3 environment."""
    try:
        with StopSignals():
            app()
    except TuneAppError as error:
        print(f"error: {error.worded(Door.CLI)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except StopRequested as stop:
        print(stop, file=sys.stderr)
        _exit_now(128 + stop.number)
    except BrokenPipeError:
        # The reader of our output has closed the pipe: print nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _exit_now(code: int) -> NoReturn:
    """End the process with this code, even while Ray is being started.

    While Ray starts, it has threads whose C++ objects abort the process when the interpreter shuts
    down normally. The exit handlers that Ray registered are still run, since they end Ray's
    processes.
    """
    with suppress(Exception):
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
