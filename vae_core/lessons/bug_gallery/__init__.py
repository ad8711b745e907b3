"""What `notebooks/bug_gallery` needs."""
