"""Paper B: architectures as text, the search that grows them, and what the printed numbers prove."""
