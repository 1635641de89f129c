"""`python -m tune_app.cli` is `tune-app`."""

from tune_app.cli import main

main()
