"""The business: one package a noun; a higher package may import a lower one, never back."""
