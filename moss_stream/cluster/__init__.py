"""Many machines: the server as replicas of Ray Serve, chosen and scaled by the engine's slots."""
