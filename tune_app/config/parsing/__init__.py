"""From the text of a search file to checked models, with every problem and its line."""
