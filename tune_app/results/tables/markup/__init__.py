"""Markdown, HTML and LaTeX: a backend for each, with its only escapes and its only table writer."""
