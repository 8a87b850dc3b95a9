"""Is it good? Metrics, intervals, probes, benchmarks."""
