"""
Amazon's ``as-*`` commands of 2009 to 2014, for any endpoint that speaks the Auto Scaling Query API.

Owns: a client. It knows the service by its model (``protocol.model``) and nothing of the gateway behind an endpoint.
What each command is called, takes and prints is data: ``table``.
"""
