"""Archives read in place, and the files in them."""
