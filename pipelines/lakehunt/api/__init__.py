"""The Python API, and the extension of IPython: what `import lakehunt` exports."""
