"""What people run beside the river: demo, dev, replay, books, embedded servers."""
