"""The verbs: what the command line, Python and the service do alike, written once."""
