"""Chat exports and databases as conversations and messages: one file per format. It knows files, and nothing of stores."""
