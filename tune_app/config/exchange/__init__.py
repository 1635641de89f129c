"""Search spaces in the words of other tools: plain data in and out, none of the tools imported."""
