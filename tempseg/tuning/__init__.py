"""Record a video once, replay configs on it, choose the best."""
