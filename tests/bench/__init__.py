"""Benchmarks. `kairos bench NAME` runs them; `runner` begins, `implementations` names who is compared."""
