"""Many machines: the server's application as replicas of Ray Serve, chosen and scaled by the engine's slots."""
