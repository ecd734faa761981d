"""Optical flow of pictures, for a flow stream: methods, 8-bit values, a cache."""
