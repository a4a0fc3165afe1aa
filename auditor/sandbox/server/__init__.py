"""The sandbox's HTTP server: faults, limits, log and control endpoints."""
