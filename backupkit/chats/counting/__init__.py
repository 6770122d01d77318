"""What is in an export, in numbers, and what speaks against its being whole."""
