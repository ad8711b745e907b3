"""What single lessons need, one folder per notebook and named after it. No lesson imports another."""
