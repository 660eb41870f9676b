"""The bundle of TFLite files for a mobile app, measured and judged."""
