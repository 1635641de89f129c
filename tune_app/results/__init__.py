"""The record of every trial, and the tables made from it. Needs neither Ray nor torch."""
