"""Run inside images by their own Python; copied beside pytest, never imported from here."""
