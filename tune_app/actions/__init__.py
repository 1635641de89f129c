"""The actions that the command line, Python and the service share, each written once."""
