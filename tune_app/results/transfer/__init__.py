"""Records on their way from one storage to another: archives, and the mirror of a bucket."""
