"""The commands of the service: serve, token."""

from pathlib import Path
from typing import Annotated

import typer

from tune_app.cli.options import STORAGE, StorageOption
from tune_app.cli.run_options import DataOption, data_path
from tune_app.errors import EnvironmentalError, TuneAppError

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="TUNE_APP_TOKEN_FILE",
        help="Where the token is.  [default: ~/.config/tune_app/token]",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(rich_help_panel="Service")(serve)
    app.command(rich_help_panel="Service")(token)


def serve(
    host: Annotated[str, typer.Option(help="Any other than this needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8300,
    token_file: TokenFile = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name the service is called by; repeat for more."),
    ] = None,
    sweeps_at_once: Annotated[int, typer.Option(min=1, help="The others wait.")] = 1,
    cores: Annotated[
        int | None, typer.Option(min=1, help="For all sweeps together; all, if left out.")
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            envvar="RAY_ADDRESS",
            help="A Ray cluster, to run the sweeps as its jobs: http://head:8265, or host:port.",
        ),
    ] = None,
    data: DataOption = None,
    storage: StorageOption = STORAGE,
) -> None:
    """Serve the dashboard and the REST interface, for this machine's own users.

    Sweeps that are started in the page outlive the service: each is a process of its own or, with
    --address, a job of that Ray cluster.
    """
    try:
        from tune_app.service.http.tokens import default_token_file, read_token
        from tune_app.service.server import serve as serve_until_stopped
        from tune_app.service.settings import Settings
    except ModuleNotFoundError as err:
        raise EnvironmentalError(
            f"{err.name} is not installed, which the service needs: pip install 'tune-app[serve]'"
        ) from err
    path = token_file or default_token_file()
    secret = read_token(path)
    if secret is None and token_file is not None:
        raise TuneAppError(f"there is no token in {path}: make one with `tune-app token`")
    settings = Settings(
        storage=storage,
        data_root=data_path(data).absolute(),
        host=host,
        port=port,
        token=secret,
        allowed_hosts=tuple(allow_host or ()),
        address=address,
        sweeps_at_once=sweeps_at_once,
        cores=cores,
    )
    serve_until_stopped(settings, lambda line: print(line, flush=True))


def token(
    show: Annotated[bool, typer.Option("--show", help="Print the token that there is.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Make a new one; it ends all sessions.")
    ] = False,
    token_file: TokenFile = None,
) -> None:
    """Make the token that the service asks for: 32 random bytes, in a file only you can read."""
    from tune_app.service.http.tokens import default_token_file, make_token, read_token

    path = token_file or default_token_file()
    if show:
        found = read_token(path)
        if found is None:
            raise TuneAppError(f"there is no token in {path}: make one with `tune-app token`")
        print(found)
        return
    print(make_token(path, replace=replace))
    print(f"written to {path}; `tune-app serve` asks for it from now on, on any host")
