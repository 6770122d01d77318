"""What stays and what goes: retention, sweeps, and copies on other disks."""
