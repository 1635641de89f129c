"""Data sets in the user's files: an .npz file, or folders of images."""
