"""What the networks are fed: one module per modality, the same for training and serving; numpy only."""
