"""Exports of trained networks: files, a model card, and how an export is measured again."""
