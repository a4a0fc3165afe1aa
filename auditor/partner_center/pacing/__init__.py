"""When a call may start: queues, learned rates, and quotas shared with other processes."""
