"""The dashboard: pages rendered on the server, and the numbers that their charts draw."""
