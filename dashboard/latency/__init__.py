"""Times requests from one network namespace to another. Separate processes send and answer them."""
