"""KQL as a language: text -> tokens -> syntax tree -> typed tree, with a position for every error. Imports no Spark."""
