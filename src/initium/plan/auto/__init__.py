"""The policy auto: decisions and candidates."""
