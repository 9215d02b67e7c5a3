"""De-identification for research (PS3.15 annex E): a list of what may stay, everything else goes."""
