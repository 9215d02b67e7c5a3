"""From a case to a calibrated, doubted and explained prediction."""
