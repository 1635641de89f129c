"""Changes asked of the service: queued, started, and watched."""
