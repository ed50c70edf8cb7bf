"""Findings for people with SQL: views, their dictionary, and an endpoint that answers JDBC."""
