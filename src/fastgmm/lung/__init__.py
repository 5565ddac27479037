"""lung."""
