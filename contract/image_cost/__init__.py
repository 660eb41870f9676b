"""What an encoded image may cost to decode, judged by its bytes without decoding it."""
