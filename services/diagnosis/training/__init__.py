"""How a bundle is made: data, stages, calibration, evaluation, and the recipe that ships."""
