"""Convert search spaces to and from the formats of other tools, without importing the tools."""
