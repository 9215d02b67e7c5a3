"""What fusion has to beat: the usual ways of combining modalities, trained and calibrated as carefully as ours."""
