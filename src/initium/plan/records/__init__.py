"""The plain records of a plan: assignments, receipts, rules."""
