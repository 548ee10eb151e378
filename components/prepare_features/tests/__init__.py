"""Tests that run inside every compatible environment."""
