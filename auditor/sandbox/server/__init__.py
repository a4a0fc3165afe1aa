"""The sandbox's HTTP server: faults, limits, its log and its control page."""
