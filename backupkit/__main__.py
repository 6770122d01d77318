"""`python -m backupkit` is the command line."""

from backupkit.cli.main import run

if __name__ == "__main__":
    run()
