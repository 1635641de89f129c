"""The dashboard: pages rendered on the server, and the numbers that they draw."""
