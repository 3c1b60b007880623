"""What follows from what: pure functions from records and state to state and decisions. No I/O, no clock, no chance."""
