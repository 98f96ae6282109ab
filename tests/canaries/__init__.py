"""Canaries: each step's tiny job on phantoms, whose result is committed and compared.

If one differs, the step's mathematics has changed: undo the change, or raise the step's version, since published
results are found by it, and then ``python -m tests.canaries --bless NAME``.
"""
