"""Reading back what was saved, and saying under a signature how it was checked."""
