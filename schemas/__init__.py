"""Every shape that crosses a border, and its bytes. Imports nothing of ours."""
