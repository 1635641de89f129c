"""The same verbs as the command line's, in Python: for scripts and notebooks."""
