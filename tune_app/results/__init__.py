"""The record of every trial, and what is read from it. Needs neither Ray nor torch."""
