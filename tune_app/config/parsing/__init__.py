"""Turn the text of a search file into checked models, or explain every problem with its line."""
