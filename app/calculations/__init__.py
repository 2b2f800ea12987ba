"""Portfolio analytics as pure functions: NumPy arrays in, NumPy arrays out, no input or output.

Shapes are written with D = evaluated days, T = sessions on the price axis, S = symbols.
"""
