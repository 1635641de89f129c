"""What the commands print: live progress, tables and summaries."""
