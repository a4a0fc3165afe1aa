"""A run divided into parts, each in a process of its own: `run --part I/N`, and `publish`.

See docs/decisions/0023-parts-share-files-in-the-store.md.
"""
