def connect(url: str, token: str | None = None) -> None:
    """Placeholder until the client is written."""
