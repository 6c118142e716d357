"""A Dagster project: one account of Hevo by a Component, one Pipeline in Python.

Install it with ``pip install -e .``, so that ``dg`` can import it; then
``dg utils refresh-defs-state`` reads the account's tables, and ``dg dev`` loads them.
"""
