"""Sources that are no sensor feeds: survey exports and the UTTC catalogue. Plain Python, knows nothing of
Dagster.
"""
