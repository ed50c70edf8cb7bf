"""What a query reads: its tables, its window, and ad-hoc queries."""
