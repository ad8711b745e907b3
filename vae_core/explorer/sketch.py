"""How a drawing becomes an image like those of a data set: what sketch.js is told."""

# box: pixels of the square that the ink is scaled to fit, before its centre of mass is put in the middle; None: a
#   picture covers the image
# pen: pixels across a stroke: that with which drawn digits have the mean pixel of real ones
# dark: the ground of the images is dark, so that a picture with a light one is inverted
PLACING = {
    "mnist": {"box": 20, "pen": 2.4, "dark": True},
    "digits": {"box": 28, "pen": 4.6, "dark": True},
    "fashion_mnist": {"box": None, "pen": 2.4, "dark": True},
}


def placing(dataset: str) -> dict[str, int | float | bool | None]:
    """Of a data set by its name: `box`, `pen`, `dark`. A drawing covers images of any other, and is never inverted."""
    return PLACING.get(dataset, {"box": None, "pen": 2.4, "dark": False})


TEXTS = {  # in the page, in English
    "sketch.canvas": "A square to draw in",
    "sketch.help": "Draw with the mouse, a finger or a pen, or drop a picture here. Keyboard: arrows move the pen, two "
    "at once go diagonally, with Shift in large steps; Space puts the pen down and lifts it; Backspace takes the last "
    "stroke away; Delete clears.",
    "sketch.undo": "Undo stroke",
    "sketch.clear": "Clear",
    "sketch.file": "Or a picture",
    "sketch.test": "Or a test image",
    "sketch.anyClass": "any class",
    "sketch.another": "Another one",
    "sketch.penDown": "Pen down",
    "sketch.penUp": "Pen up",
    "sketch.empty": "Nothing is drawn: draw a line first.",
    "sketch.full": "The drawing fills the square: draw with fewer lines.",
    "sketch.blank": "This picture is of one colour: choose one with ink on it.",
    "sketch.noPicture": "This is not a picture that the browser can read: choose a PNG, JPEG or WebP file.",
    "sketch.vector": "SVG files cannot be used here: save the picture as PNG.",
    "sketch.moving": "Animated pictures cannot be used here: choose a still one.",
    "sketch.large": "This picture is too large: choose one of at most 25 megapixels and 20 MB.",
}
