"""SQLite's pages read without SQLite: what is on one, and what can be saved of a database that no longer opens."""
