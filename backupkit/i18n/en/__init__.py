"""English catalogue, one file per layer."""
