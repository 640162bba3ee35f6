"""What to say next: text in, prompts out. No torch, no asyncio, no threads, no clock."""
