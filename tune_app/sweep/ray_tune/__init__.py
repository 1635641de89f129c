"""The cluster, its nodes, and one run of Ray Tune from start to end."""
