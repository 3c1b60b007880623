"""What is remembered of every customer, one slot a partition, guarded by a token."""
