"""Code and scripts that build the wheel, the sdist and the container images. This package is not installed."""
