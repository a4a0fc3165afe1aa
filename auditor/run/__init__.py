"""The pipeline: a run from its configuration to its report. Only this folder knows every stage."""
