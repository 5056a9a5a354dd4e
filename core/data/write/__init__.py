"""Data sets written in formats that other tools open."""
