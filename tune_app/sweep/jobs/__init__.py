"""Sweeps as Ray jobs on a cluster."""
