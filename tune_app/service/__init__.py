"""The service: a dashboard and a REST interface for the commands of tune-app."""
