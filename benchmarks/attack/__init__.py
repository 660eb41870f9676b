"""What an attacker sends, drawn by code."""
