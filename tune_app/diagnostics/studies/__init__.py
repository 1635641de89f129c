"""One module for each diagnostic: its numbers as DataFrames, and its findings."""
