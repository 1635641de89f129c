"""Trained networks in files, measured again, with a model card."""
