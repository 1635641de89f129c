"""One module for each diagnostic: numbers as DataFrames, and what they say."""
