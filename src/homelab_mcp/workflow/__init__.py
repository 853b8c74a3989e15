"""The order of things: plan, approve, apply, verify, roll back, recover. Every change passes here."""
