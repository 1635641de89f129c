"""The commands of the service: serve, token."""

from pathlib import Path
from typing import Annotated

import typer

from tune_app.cli.options import STORAGE, StorageOption
from tune_app.cli.run_options import DataOption
from tune_app.errors import EnvironmentalError, TuneAppError
from tune_app.results.places import find_data_root

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="TUNE_APP_TOKEN_FILE",
        help="File of the access token.  [default: ~/.config/tune_app/token]",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(rich_help_panel="Service")(serve)
    app.command(rich_help_panel="Service")(token)


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any other than 127.0.0.1 needs a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 8300,
    token_file: TokenFile = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Further host name of this service; can be repeated."),
    ] = None,
    sweeps_at_once: Annotated[
        int, typer.Option(min=1, help="Sweeps that run at the same time; the others wait.")
    ] = 1,
    cores: Annotated[
        int | None,
        typer.Option(min=1, help="Processor cores for all sweeps together (default: all)."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            envvar="RAY_ADDRESS",
            help="Run sweeps as jobs of this Ray cluster: http://head:8265, or host:port.",
        ),
    ] = None,
    data: DataOption = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Serve the dashboard and the REST interface.

    Sweeps that are started from the dashboard outlive the service: each runs in its own process or,
    with --address, as a job of that Ray cluster.
    """
    try:
        from tune_app.service.http.tokens import default_token_file, read_token
        from tune_app.service.server import serve as serve_until_stopped
        from tune_app.service.settings import Settings
    except ModuleNotFoundError as err:
        raise EnvironmentalError(
            f"the service needs {err.name}, which is not installed: install tune-app with its "
            "extra 'serve'"
        ) from err
    path = token_file or default_token_file()
    secret = read_token(path)
    if secret is None and token_file is not None:
        raise TuneAppError(f"there is no token in {path}: make one with: tune-app token")
    settings = Settings(
        storage=storage,
        data_root=find_data_root(data).absolute(),
        host=host,
        port=port,
        token=secret,
        token_file=path,
        allowed_hosts=tuple(allow_host or ()),
        address=address,
        sweeps_at_once=sweeps_at_once,
        cores=cores,
    )
    serve_until_stopped(settings, lambda line: print(line, flush=True))


def token(
    show: Annotated[bool, typer.Option("--show", help="Print the existing token.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the existing token; this ends all sessions.")
    ] = False,
    token_file: TokenFile = None,
) -> None:
    """Create the access token of the service: 32 random bytes, in a file that only you can read."""
    from tune_app.service.http.tokens import default_token_file, make_token, read_token

    path = token_file or default_token_file()
    if show:
        found = read_token(path)
        if found is None:
            raise TuneAppError(f"there is no token in {path}: make one with: tune-app token")
        print(found)
        return
    print(make_token(path, replace=replace))
    print(f"wrote it to {path}; from now on, `tune-app serve` requires it on every host")
