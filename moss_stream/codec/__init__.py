"""The Cat codec: from codes to sound and back."""
