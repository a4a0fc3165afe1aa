"""The pipeline: a run from its configuration to its report. Only this folder knows all stages."""
