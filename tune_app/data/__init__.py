"""Named data sets as arrays, their splits, and what is done to a batch on its way in."""
