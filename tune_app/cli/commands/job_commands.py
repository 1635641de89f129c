"""Sweeps as jobs of a Ray cluster: submit, jobs."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune_app.actions.searches import user_code_folders
from tune_app.cli.commands.run_commands import FileArgument
from tune_app.cli.options import STORAGE, StorageOption
from tune_app.errors import TuneAppError
from tune_app.results.humanize import duration_text

if TYPE_CHECKING:
    from tune_app.sweep.jobs.ray_jobs import JobServer, RemoteJob

JobAddress = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="RAY_API_SERVER_ADDRESS",
        help="Address of the cluster's dashboard, which accepts jobs: http://head:8265.",
    ),
]
JobArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Id of the job, as `tune-app jobs` lists it.")
]

jobs = typer.Typer(help="List and control sweeps on a cluster.", no_args_is_help=False)


def submit(
    context: typer.Context,
    file: FileArgument,
    address: JobAddress,
    name: Annotated[
        str | None, typer.Option(help="Name of the sweep (default: the file's).")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the job's output until it ends.")
    ] = False,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Storage of the results, as the cluster sees it.  [default: TUNE_APP_STORAGE "
            "there, else tune_results in the home of Ray's user]"
        ),
    ] = None,
) -> None:
    """Run a search file as a job on a cluster; this machine can then disconnect.

    Options of `run` can follow, such as --trials 40 or --set parameters.lr=0.01. Paths in them are
    paths on the cluster.
    """
    from tune_app.config.search_file import load_sweep_file
    from tune_app.results.store.names import check_sweep_name

    config = load_sweep_file(file)
    sweep = name or config.name
    check_sweep_name(sweep)
    functions = [one for one in (config.model, config.training) if one and ":" in one]
    server = _server(address)
    job_id = server.start(
        ["run", str(file), "--name", sweep, *context.args],
        sweep=sweep,
        storage=storage,
        file=file,
        functions=functions,
        folders=user_code_folders(file),
    )
    if follow:
        print(f"sweep '{sweep}' is job {job_id}")
        raise typer.Exit(_follow(server, job_id))
    _say_started(sweep, job_id, address)


@jobs.callback(invoke_without_command=True)
def list_jobs(
    context: typer.Context,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            envvar="RAY_API_SERVER_ADDRESS",
            help="Address of the cluster's dashboard: http://head:8265.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """List sweeps that were submitted to a cluster, newest first."""
    if context.invoked_subcommand is not None:
        return
    if address is None:
        raise TuneAppError(
            "no cluster was named: pass --address http://head:8265, or set RAY_API_SERVER_ADDRESS"
        )
    found = _server(address).jobs()
    if as_json:
        print(json.dumps([asdict(job) for job in found], indent=2))
        return
    if not found:
        print(f"no sweep was submitted to {address}")
    for job in found:
        since = (
            "" if job.started is None else duration_text((job.ended or time.time()) - job.started)
        )
        print(f"{job.job_id:<32} {job.status:<10} {job.sweep:<24} {since}")


@jobs.command("logs")
def show_logs(
    job_id: JobArgument,
    address: JobAddress,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep printing until the job ends.")
    ] = False,
) -> None:
    """Show the output of a job."""
    server = _server(address)
    if follow:
        raise typer.Exit(_follow(server, job_id))
    print(server.logs(job_id), end="")


@jobs.command("stop")
def stop_job(job_id: JobArgument, address: JobAddress) -> None:
    """Stop a job's sweep gracefully; `jobs resume` continues it."""
    if _server(address).stop(job_id):
        print(f"job {job_id} was asked to stop; it has a minute to stop gracefully")
    else:
        print(f"job {job_id} has already ended")


@jobs.command("resume")
def resume_job(
    job_id: JobArgument,
    address: JobAddress,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Extend the sweep to this many trials.")
    ] = None,
) -> None:
    """Continue the sweep of a job that has ended, as a new job on the same storage."""
    server = _server(address)
    job = _job_that_is_over(server, job_id)
    more = [] if trials is None else ["--trials", str(trials)]
    _say_started(
        job.sweep,
        server.start(["resume", job.sweep, *more], sweep=job.sweep, storage=job.storage),
        address,
    )


@jobs.command("fetch")
def fetch_sweep(
    job_id: JobArgument,
    address: JobAddress,
    storage: Annotated[
        Path, typer.Option("--to", envvar="TUNE_APP_STORAGE", help="Storage to copy the sweep to.")
    ] = STORAGE,
) -> None:
    """Copy the record and the files of a job's sweep to a storage on this machine.

    The copy goes through the job server, so only its address is needed. For sweeps of many hundred
    MB, use a storage that both sides can reach.
    """
    from tune_app.results.store import open_store
    from tune_app.results.transfer.archive import unpack_sweep

    server = _server(address)
    job = _job_that_is_over(server, job_id)
    name = unpack_sweep(open_store(storage), server.packed(job))
    print(f"copied sweep '{name}' to {storage}")
    print(f"next: tune-app show {name} --storage {storage}")


@jobs.command("pack", hidden=True)
def pack(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP")], storage: StorageOption = STORAGE
) -> None:
    """Print a sweep as text. `jobs fetch` runs this on the cluster."""
    from tune_app.results.store import open_store
    from tune_app.results.transfer.archive import pack_sweep

    for line in pack_sweep(open_store(storage), sweep):
        print(line)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(
        rich_help_panel="Clusters",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(submit)
    app.add_typer(jobs, name="jobs", rich_help_panel="Clusters")


def _server(address: str) -> "JobServer":
    from tune_app.sweep.jobs.ray_jobs import JobServer

    return JobServer(address)


def _job_that_is_over(server: "JobServer", job_id: str) -> "RemoteJob":
    job = server.job(job_id)
    if not job.is_over:
        raise TuneAppError(f"job {job_id} is {job.status}: wait for it to end, or stop it")
    return job


def _say_started(sweep: str, job_id: str, address: str) -> None:
    more = f"--address {address}"
    print(f"sweep '{sweep}' is job {job_id}")
    print(f"  show its output:  tune-app jobs logs {job_id} --follow {more}")
    print(f"  stop it:          tune-app jobs stop {job_id} {more}")
    print(f"  fetch its sweep:  tune-app jobs fetch {job_id} {more}")


def _follow(server: "JobServer", job_id: str) -> int:
    """Print a job's output and return the exit code for how it ended."""
    for text in server.follow(job_id):
        print(text, end="", flush=True)
    job = server.job(job_id)
    if job.status == "failed":
        print(f"job {job_id} failed: {job.message}")
    return 0 if job.status == "succeeded" else 1
