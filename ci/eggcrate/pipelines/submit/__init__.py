"""Compiled pipelines sent where they run: Vertex AI, Kubeflow, their schedules and templates."""
