"""The pipeline: one run from the configuration to its report, the only place that knows all stages."""
