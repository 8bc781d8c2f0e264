"""What is read off a record for planning: chains, branch scales, tables."""
