"""What an app store or package manager calls before an update: a fast program with no passphrase and no repository."""
