"""Customer.io: parquet change sets in a bucket, tables."""
