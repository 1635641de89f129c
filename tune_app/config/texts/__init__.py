"""Generate texts about search files: a starter file, the documentation page, the JSON Schema."""
