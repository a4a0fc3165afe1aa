"""What a run tells monitoring: metrics for Prometheus, traces, and lineage events."""
