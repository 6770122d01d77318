"""The command line. Only here and in `hooks` are arguments, environment, terminal and locale read."""
