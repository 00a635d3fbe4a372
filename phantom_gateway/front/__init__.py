"""
The doors: HTTP in, HTTP out.

Owns: everything aiohttp. Does not own: what a request means; a door reads, verifies, hands over and writes the answer.
"""
