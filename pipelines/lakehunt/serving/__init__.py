"""Findings and events for other tools: views and their dictionary, an endpoint for JDBC and one for Kusto clients."""
