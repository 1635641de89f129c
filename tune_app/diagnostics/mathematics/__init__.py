"""The mathematics of diagnostics: loss landscapes and eigenvalues."""
