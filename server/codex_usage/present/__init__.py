"""Turns answers into bytes: compact JSON for models, tables for people, JSON and CSV for scripts. Computes nothing."""
