"""What all benchmarks share: inputs, memory, paired runs, rows for pytest-benchmark."""
