"""Folders as people have them: what lies in them, and what their names mean."""
