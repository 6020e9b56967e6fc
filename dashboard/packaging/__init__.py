"""How a wheel and an sdist are made; neither is part of what is installed."""
