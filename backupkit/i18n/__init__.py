"""What backupkit says, in English and Chinese, complete and equal. Codes come in; sentences go out."""
