"""What stands before every route: access, limits, and the form of every answer."""
