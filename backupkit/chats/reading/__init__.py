"""What readers stand on: the seam to them, tables, lists of records, databases, media, mappings."""
