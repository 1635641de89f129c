"""Mathematics of the diagnostics: loss landscapes, eigenvalues and batch norm."""
