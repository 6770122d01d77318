"""Whether an update may be installed: packages, device rules, verdict. What is not understood is never allowed."""
