"""The drawing kit: SVG charts."""
