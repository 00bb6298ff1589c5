"""Device drivers. They know bytes and promises, nothing of shops."""
