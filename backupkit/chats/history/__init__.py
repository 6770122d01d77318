"""One chat over several exports: the same message told again, and what happened to it."""
