"""Random textures: periodic squares, so that content never runs out."""

import numpy as np

SIZE = 256  # pixels


def waves(rng: np.random.Generator) -> np.ndarray:
    """Three maps of band-limited noise, `(3, SIZE, SIZE)`, of variance 1."""
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE))
    slope, cutoff = rng.uniform(0.8, 1.6), rng.uniform(0.08, 0.14)
    spectrum = np.exp(-((frequency / cutoff) ** 2)) / (frequency + 0.01) ** slope
    noise = rng.standard_normal((3, SIZE, SIZE))
    maps = np.fft.irfft2(np.fft.rfft2(noise) * spectrum)
    maps /= maps.std(axis=(1, 2), keepdims=True)
    return maps


def coloured_noise(rng: np.random.Generator) -> np.ndarray:
    """Band-limited noise of random colours, `(SIZE, SIZE, 3)`, roughly in [0, 255]."""
    maps = waves(rng)
    colours = np.eye(3) + 0.7 * rng.standard_normal((3, 3))
    image = np.einsum('ij,jhw->hwi', colours, maps)
    image /= image.std()
    return (rng.uniform(90, 165, 3) + rng.uniform(30, 50) * image).astype(np.float32)


def two_coloured_noise(
    rng: np.random.Generator, axis: np.ndarray, colour: float
) -> np.ndarray:
    """Light and dark noise, and independent noise between two opposite colours.

    Args:
        rng (np.random.Generator): Source of randomness.
        axis (np.ndarray): RGB difference of the two colours, of length 1.
        colour (float): Standard deviation of the colours, in grey levels.

    Returns:
        np.ndarray: `(SIZE, SIZE, 3)`, roughly in [0, 255].
    """
    light, between, _ = waves(rng)
    image = rng.uniform(25, 40) * light[..., None] + colour * between[..., None] * axis
    return (rng.uniform(110, 145, 3) + image).astype(np.float32)


def light_noise(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """Noise of one colour with mean 0, `(SIZE, SIZE, 3)`: light to be added."""
    return (waves(rng)[0][..., None] * colour).astype(np.float32)


def stripes(rng: np.random.Generator, dots: float, strength: float) -> np.ndarray:
    """Smooth straight stripes of uneven width, with a few dots on them.

    Along a stripe nothing changes, so that only the dots tell motion along it.

    Args:
        rng (np.random.Generator): Source of randomness.
        dots (float): Number of dots in an area of 64 x 64 pixels.
        strength (float): Contrast of the dots; that of the stripes is about 1.

    Returns:
        np.ndarray: `(SIZE, SIZE, 3)`, roughly in [0, 255].
    """
    frequency = np.abs(np.fft.fftfreq(SIZE))
    band = np.exp(-(((frequency - 0.05) / 0.02) ** 2))  # about 20 pixels
    profile = np.fft.ifft(np.fft.fft(rng.standard_normal(SIZE)) * band).real
    profile /= profile.std()
    impulses = np.zeros((SIZE, SIZE))
    count = round(dots * (SIZE / 64) ** 2)
    y, x = rng.integers(SIZE, size=(2, count))
    impulses[y, x] = rng.choice((-1, 1), count)
    # Gaussian dots of height 1 and a standard deviation of 2 pixels.
    wide = np.exp(-2 * (2 * np.pi * np.fft.fftfreq(SIZE)) ** 2)
    blur = 8 * np.pi * wide[:, None] * wide
    spots = np.fft.ifft2(np.fft.fft2(impulses) * blur).real
    colours = 1 + 0.3 * rng.standard_normal((2, 3))
    image = profile[:, None] * colours[0] + strength * spots[..., None] * colours[1]
    return (rng.uniform(100, 155, 3) + rng.uniform(30, 45) * image).astype(np.float32)


def islands(rng: np.random.Generator, radius: tuple[float, float]) -> np.ndarray:
    """A mask of 25 irregular discs at random places, `(SIZE, SIZE)`, in [0, 1].

    Args:
        rng (np.random.Generator): Source of randomness.
        radius (tuple[float, float]): Smallest and largest radius in pixels.
    """
    cells = 5
    cell = SIZE / cells
    shape = cells, cells, 1, 1
    corner = cell * np.arange(cells)
    y = corner[:, None, None, None] + rng.uniform(0, cell / 2, shape)
    x = corner[:, None, None] + rng.uniform(0, cell / 2, shape)
    down = (np.arange(SIZE)[:, None] - y) % SIZE
    right = (np.arange(SIZE) - x) % SIZE
    distance = np.hypot(np.minimum(down, SIZE - down), np.minimum(right, SIZE - right))
    inside = (rng.uniform(*radius, shape) - distance).max((0, 1)) + 2 * waves(rng)[0]
    return np.clip(inside + 0.5, 0, 1).astype(np.float32)
