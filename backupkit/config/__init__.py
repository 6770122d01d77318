"""The owner's settings and where things lie on this machine. It reads files it is given, never the environment."""
