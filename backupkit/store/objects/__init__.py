"""The small objects of a repository, three copies of each: settings, log, lists of packs."""
