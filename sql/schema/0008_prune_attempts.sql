-- Optional: lets the writer prune old attempts, as it prunes old snapshots. Without this step,
-- `snapshots prune --apply` is refused once there are old attempts; everything else works.
GRANT DELETE ON attempt TO auditor_writer;
