"""Data keys: what is stored of one patient by one service is encrypted under a key of its own, and destroying the key
makes every copy of it unreadable, wherever copies lie."""
