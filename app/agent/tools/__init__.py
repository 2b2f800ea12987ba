"""What the model may ask for: each tool reads the caller's own data, in this process."""
