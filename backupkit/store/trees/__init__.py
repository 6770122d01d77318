"""What chunks mean: folders, files, pages of databases, snapshots."""
