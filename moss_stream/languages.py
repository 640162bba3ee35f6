"""Names of languages: a model's prompt has those, clients have codes."""

from __future__ import annotations

__all__ = ["LANGUAGES", "language_name"]

LANGUAGES = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fr": "French",
    "he": "Hebrew",
    "hu": "Hungarian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "sv": "Swedish",
    "tr": "Turkish",
    "zh": "Chinese",
}


def language_name(code: str | None) -> str | None:
    """Return the name for a code such as "de" or "de-DE"; what is none of ours stays as it is."""
    return LANGUAGES.get((code or "").replace("_", "-").partition("-")[0].lower(), code)
