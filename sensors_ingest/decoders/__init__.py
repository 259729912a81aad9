"""Payload decoders, one module a device family. Adding one: describe its bytes, name it in ``profiles.py``,
test it.
"""
