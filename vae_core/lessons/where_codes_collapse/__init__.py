"""What `notebooks/where_codes_collapse` needs."""
