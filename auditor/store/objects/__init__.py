"""The store that is on an object storage service: S3, or Azure Blob Storage."""
