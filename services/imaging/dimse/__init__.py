"""The DIMSE door: who may call, what is taken, and what is reported back (PS3.4 annexes B and J, PS3.7)."""
