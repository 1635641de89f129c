"""The actions of the command line in Python, for scripts and notebooks."""
