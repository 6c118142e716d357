"""Adapters for orchestrators. Each needs its extra, such as ``hevo-edge[airflow]``."""
