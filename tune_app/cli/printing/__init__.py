"""The output of the commands: tables and summaries."""
