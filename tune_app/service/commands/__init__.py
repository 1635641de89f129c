"""Commands that users request: queued, started, and followed until their sweep is recorded."""
