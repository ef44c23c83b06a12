"""What scripts/bench runs: the measurements, and the programs that chatctl is measured against."""
