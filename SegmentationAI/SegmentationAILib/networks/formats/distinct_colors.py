"""Colors for labels that come without any: hues far from one another, the same every time."""

import colorsys

# The golden ratio's fraction: each hue falls into the largest gap that those before it left.
STEP = 0.6180339887498949


def distinct_color(number: int) -> tuple[float, float, float]:
    """Return RGB, each 0 to 1, for the label of that position."""
    hue = (number * STEP) % 1.0
    saturation, brightness = ((0.65, 0.95), (0.85, 0.75), (0.45, 0.85))[number % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, brightness)
    return round(red, 3), round(green, 3), round(blue, 3)
