"""review: the clinician's web UI, served as static files.

It owns no data and no database: the page that it serves asks the other services over the public contract, with the
clinician's own bearer token. What belongs here is how a case is shown, and the headers under which a browser may show
it.
"""
