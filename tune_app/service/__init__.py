"""The service: a dashboard and a REST interface over the verbs of the command line."""
