"""What would be lost with the device, counted against what a snapshot holds."""
