"""Plots as SVG: one module for each form, none of which knows what is drawn."""
