"""
The AWS Query protocol: bytes in, typed values out, and back again.

Owns: requests as they were signed, signatures, decoding, validation, encoding, error documents, paging tokens.
Does not own: what an operation means. Knows no group, no cloud, no database and no web framework.
"""
