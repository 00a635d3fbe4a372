"""
The JSON door: the API of the original Phantom, below ``/api/dev``.

Owns: everything aiohttp of it. Does not own: what an endpoint means (``operations.http_api``).
"""
