"""A report as blocks, and the writers that turn them into HTML, LaTeX and Markdown."""
