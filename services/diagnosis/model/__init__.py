"""The networks: one file each, read top to bottom; nothing here knows a bundle, a file or a job."""
