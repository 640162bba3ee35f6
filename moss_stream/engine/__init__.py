"""The engine: owns the device, turns prompts into frames, hands them to asyncio."""
