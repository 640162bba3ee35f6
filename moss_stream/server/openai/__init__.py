"""OpenAI's speech endpoint, and the voices and models beside it."""
