"""What a processor or a GPU gives: its own matrix rate, and how much of it the network's steps reach."""
