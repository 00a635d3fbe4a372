"""
The gateway itself: doors (front), what requests mean (operations), what is remembered (records), and the wiring (app).

Owns: users, launch configurations, groups and their history. Understands requests with ``protocol``, makes intent true
with ``reconciler``, on clouds behind ``backends``.
"""
