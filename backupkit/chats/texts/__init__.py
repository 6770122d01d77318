"""Text as strangers' phones and computers wrote it: lines, encodings, dates, pages."""
