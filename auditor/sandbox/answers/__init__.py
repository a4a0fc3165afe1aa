"""What the sandbox's endpoints answer."""
